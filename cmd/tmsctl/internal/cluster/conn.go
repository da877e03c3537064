package cluster

import (
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"k8s.io/streaming/pkg/httpstream"
)

// conn is a connection to a port of a pod. It has no deadlines.
type conn struct {
	connection httpstream.Connection
	data       httpstream.Stream
	// failed receives the error of the kubelet, or nil, when the connection ends.
	failed chan error
}

func newConn(connection httpstream.Connection, data httpstream.Stream, errorStream io.Reader) *conn {
	c := &conn{connection: connection, data: data, failed: make(chan error, 1)}
	go func() {
		const maxMessage = 4 << 10
		message, _ := io.ReadAll(io.LimitReader(errorStream, maxMessage))
		if text := strings.TrimSpace(string(message)); text != "" {
			c.failed <- errors.New(text)
			_ = connection.Close() // ends Read
			return
		}
		c.failed <- nil
	}()
	return c
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	return n, c.cause(err)
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.data.Write(p)
	return n, c.cause(err)
}

// cause returns the error of the kubelet, such as a refused connection, for an error of the
// stream, if there is one.
func (c *conn) cause(err error) error {
	if err == nil {
		return nil
	}
	const grace = time.Second // the two streams are independent
	select {
	case failure := <-c.failed:
		c.failed <- failure
		return cmp.Or(failure, err)
	case <-time.After(grace):
		return err
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	_ = c.data.Reset() // unsent data would block the end of the connection
	return c.connection.Close()
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return addr{} }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return addr{} }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// addr is the address of both ends.
type addr struct{}

// Network implements net.Addr.
func (addr) Network() string { return "port-forward" }

// String implements net.Addr.
func (addr) String() string { return "port-forward" }
