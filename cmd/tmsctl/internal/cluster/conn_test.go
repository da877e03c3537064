package cluster

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/streaming/pkg/httpstream"
)

type endedConnection struct{ httpstream.Connection }

func (endedConnection) Close() error { return nil }

type endedStream struct{ httpstream.Stream }

func (endedStream) Read([]byte) (int, error)  { return 0, io.EOF }
func (endedStream) Write([]byte) (int, error) { return 0, io.EOF }

// TestConnCause checks that reads and writes return the error of the kubelet, each time.
func TestConnCause(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{"connection refused\n": "connection refused", "": "EOF"} {
		c := newConn(endedConnection{}, endedStream{}, strings.NewReader(message))
		for range 2 {
			_, err := c.Write([]byte("x"))
			require.EqualError(t, err, want)
			_, err = c.Read(make([]byte, 1))
			require.EqualError(t, err, want)
		}
	}
}
