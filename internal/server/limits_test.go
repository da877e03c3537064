package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"k8s.io/client-go/kubernetes/fake"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/internal/auth"
)

// envelope returns a message as streams encode it.
func envelope(t *testing.T, message proto.Message) []byte {
	t.Helper()
	text, err := proto.Marshal(message)
	require.NoError(t, err)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
}

// TestSlowRequest checks that the server ends a call with an incomplete request, whatever
// part of the request is missing. Synctest time passes only when all goroutines wait, so
// that the test ends only if a deadline does.
func TestSlowRequest(t *testing.T) {
	t.Parallel()
	acquire := envelope(t, &tmsv1.AcquireRequest{Name: "a"})
	for name, test := range map[string]struct {
		path, kind string
		part       []byte
	}{
		"no message":             {"/tms.v1.LeaseService/Status", "application/proto", nil},
		"half a message":         {"/tms.v1.LeaseService/Status", "application/json", []byte(`{"id": `)},
		"no message, gRPC":       {"/tms.v1.LeaseService/Status", "application/grpc", nil},
		"no end, gRPC":           {"/tms.v1.LeaseService/Status", "application/grpc", envelope(t, &tmsv1.StatusRequest{Id: "a"})},
		"no message, stream":     {"/tms.v1.LeaseService/Acquire", "application/connect+proto", nil},
		"half a message, stream": {"/tms.v1.LeaseService/Acquire", "application/connect+proto", acquire[:7]},
		"no end, stream":         {"/tms.v1.LeaseService/Acquire", "application/connect+proto", acquire},
		"no end, gRPC stream":    {"/tms.v1.LeaseService/Acquire", "application/grpc", acquire},
		"health":                 {"/grpc.health.v1.Health/Check", "application/json", nil},
		"reflection":             {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "application/grpc", nil},
		"an unknown path":        {"/", "text/plain", []byte("a")},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", name, http2), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := serve(t, &leases{acquire: func(context.Context, *tmsv1.AcquireRequest, func(*tmsv1.AcquireResponse) error) error {
						t.Error("the handler received an incomplete request")
						return nil
					}})
					httpClient := r.Client(http2)
					defer httpClient.CloseIdleConnections()
					body, write := io.Pipe()
					go func() { _, _ = write.Write(test.part) }()
					request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://server"+test.path, body)
					require.NoError(t, err)
					request.Header.Set("Content-Type", test.kind)
					response, err := httpClient.Do(request)
					require.NoError(t, err)
					_, _ = io.Copy(io.Discard, response.Body)
					require.NoError(t, response.Body.Close())
					require.NoError(t, write.CloseWithError(io.ErrClosedPipe))
				})
			})
		}
	}
}

// TestSlowReader checks that a client that does not read a response cannot keep a call.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"Status":  "POST /tms.v1.LeaseService/Status HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"Acquire": "POST /tms.v1.LeaseService/Acquire HTTP/1.1\r\nHost: a\r\nContent-Type: application/connect+json\r\nContent-Length: 7\r\n\r\n\x00\x00\x00\x00\x02{}",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lease := &tmsv1.Lease{Message: strings.Repeat("a", 1<<20)} // more than the network buffers
				r := serve(t, &leases{
					status: func(context.Context, *tmsv1.StatusRequest) (*tmsv1.StatusResponse, error) {
						return &tmsv1.StatusResponse{Lease: lease}, nil
					},
					acquire: func(_ context.Context, _ *tmsv1.AcquireRequest, send func(*tmsv1.AcquireResponse) error) error {
						return send(&tmsv1.AcquireResponse{Lease: lease})
					},
				})
				connection, err := r.Dial(context.Background())
				require.NoError(t, err)
				_, err = io.WriteString(connection, request)
				require.NoError(t, err)
				time.Sleep(3 * r.limits.ioTimeout) // synctest time
				require.NoError(t, r.stop(), "the call ends before the server does")
				require.NoError(t, connection.Close())
			})
		})
	}
}

// TestLargeRequest checks that no service reads a request that is too large.
func TestLargeRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &leases{})
		client, httpClient := r.client(t, protocols["gRPC"])
		_, err := status(client, strings.Repeat("a", r.limits.requestBytes-100))
		require.NoError(t, err)
		large := strings.Repeat("a", r.limits.requestBytes+1)
		for name, p := range protocols {
			client, _ := r.client(t, p)
			_, err := status(client, large)
			requireCode(t, connect.CodeResourceExhausted, err)
			stream, err := client.Acquire(context.Background(), connect.NewRequest(&tmsv1.AcquireRequest{Name: large}))
			require.NoError(t, err, name)
			require.False(t, stream.Receive())
			requireCode(t, connect.CodeResourceExhausted, stream.Err())
			require.NoError(t, stream.Close())
		}
		reflection := grpcreflect.NewClient(httpClient, "http://server", connect.WithGRPC()).NewStream(context.Background())
		_, err = reflection.FileByFilename(large)
		requireCode(t, connect.CodeResourceExhausted, err)
		_, _ = reflection.Close()

		health := connect.NewClient[tmsv1.StatusRequest, tmsv1.StatusResponse](httpClient, "http://server/grpc.health.v1.Health/Check")
		_, err = health.CallUnary(context.Background(), connect.NewRequest(&tmsv1.StatusRequest{Namespace: large}))
		requireCode(t, connect.CodeResourceExhausted, err)
	})
}

// TestCompressed checks that a small request cannot become a large one.
func TestCompressed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &leases{})
		_, httpClient := r.client(t, protocol{})
		var bomb bytes.Buffer
		packed := gzip.NewWriter(&bomb)
		_, err := packed.Write(make([]byte, 10<<20))
		require.NoError(t, err)
		require.NoError(t, packed.Close())
		for _, path := range []string{"/tms.v1.LeaseService/Status", "/grpc.health.v1.Health/Check"} {
			request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://server"+path, bytes.NewReader(bomb.Bytes()))
			require.NoError(t, err)
			request.Header.Set("Content-Type", "application/proto")
			request.Header.Set("Content-Encoding", "gzip")
			response, err := httpClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusNotImplemented, response.StatusCode, path)
		}
	})
}

func TestLargeHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &leases{}, func(s *Server) { s.limits.headerBytes = 8 << 10 })
		for name, p := range protocols {
			httpClient := r.Client(p.http2)
			client := tmsv1connect.NewLeaseServiceClient(httpClient, "http://server", p.options...)
			request := connect.NewRequest(&tmsv1.StatusRequest{Id: "a"})
			request.Header().Set("Large", strings.Repeat("a", 20<<10))
			_, err := client.Status(context.Background(), request)
			require.Error(t, err, name)
			httpClient.CloseIdleConnections()
		}
	})
}

// TestUnauthenticated checks that a call without a token is refused before its request is
// read, with the error format of each protocol.
func TestUnauthenticated(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := serve(t, &leases{}, func(s *Server) { s.config.Reviewer = auth.New(fake.NewClientset()) })
				client, httpClient := r.client(t, p)
				_, err := status(client, strings.Repeat("a", r.limits.requestBytes+1))
				requireCode(t, connect.CodeUnauthenticated, err)
				stream, err := client.Acquire(context.Background(), connect.NewRequest(&tmsv1.AcquireRequest{}))
				require.NoError(t, err)
				require.False(t, stream.Receive())
				requireCode(t, connect.CodeUnauthenticated, stream.Err())
				require.NoError(t, stream.Close())
				require.Equal(t, map[string]float64{
					"/tms.v1.LeaseService/Status unauthenticated": 1, "/tms.v1.LeaseService/Acquire unauthenticated": 1,
				}, r.calls(t))

				health := connect.NewClient[tmsv1.StatusRequest, tmsv1.StatusResponse](httpClient, "http://server/grpc.health.v1.Health/Check", p.options...)
				_, err = health.CallUnary(context.Background(), connect.NewRequest(&tmsv1.StatusRequest{}))
				require.NoError(t, err, "probes have no token")
			})
		})
	}
}

// TestStreams checks that the server announces its limit of calls for a connection.
func TestStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &leases{}, func(s *Server) { s.config.Streams = 7 })
		connection, err := r.Dial(context.Background())
		require.NoError(t, err)
		defer func() { require.NoError(t, connection.Close()) }()
		preface := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // with empty settings
		go func() { _, _ = io.WriteString(connection, preface) }()
		require.Equal(t, uint32(7), settings(t, connection)[3], "SETTINGS_MAX_CONCURRENT_STREAMS")
	})
}

// settings reads the SETTINGS frame of an HTTP/2 server (RFC 9113, 6.5.1).
func settings(t *testing.T, connection net.Conn) map[uint16]uint32 {
	t.Helper()
	head := make([]byte, 9)
	_, err := io.ReadFull(connection, head)
	require.NoError(t, err)
	require.EqualValues(t, 4, head[3], "SETTINGS")
	body := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err = io.ReadFull(connection, body)
	require.NoError(t, err)
	all := map[uint16]uint32{}
	for ; len(body) > 0; body = body[6:] {
		all[binary.BigEndian.Uint16(body)] = binary.BigEndian.Uint32(body[2:])
	}
	return all
}
