package client_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/testing/faketms"
	"github.com/triton-leases/tms/pkg/client"
)

var noBackoff = client.WithBackoff(func(int) time.Duration { return 0 })

func unavailable() error {
	return connect.NewError(connect.CodeUnavailable, errors.New("shutting down"))
}

// requestIDs returns the request ids of all Acquire calls.
func requestIDs(fake *faketms.Server) []string {
	var ids []string
	for _, call := range fake.Calls("Acquire") {
		ids = append(ids, call.Message.(*tmsv1.AcquireRequest).RequestId)
	}
	return ids
}

func TestAcquire(t *testing.T) {
	t.Parallel()
	fake, c := serve(t)
	request := &tmsv1.AcquireRequest{Spec: &tmsv1.LeaseSpec{Models: []*tmsv1.Model{{Name: "m", Uri: "s3://models"}}}}
	var responses []*tmsv1.AcquireResponse
	lease, err := c.Acquire(t.Context(), request, func(response *tmsv1.AcquireResponse) { responses = append(responses, response) })
	require.NoError(t, err)
	require.Equal(t, "lease-1", lease.Id)
	require.Equal(t, tmsv1.State_STATE_SERVING, lease.State)
	require.Len(t, responses, 3)
	require.True(t, responses[2].Complete)
	require.Empty(t, request.RequestId, "the request of the caller was changed")

	// Each call creates a lease, also with the same request.
	lease, err = c.Acquire(t.Context(), request, nil)
	require.NoError(t, err)
	require.Equal(t, "lease-2", lease.Id)
	ids := requestIDs(fake)
	require.NotEmpty(t, ids[0])
	require.NotEqual(t, ids[0], ids[1])
}

// TestAcquireRetries checks that one call creates one lease, because all its attempts have
// the same request id.
func TestAcquireRetries(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*faketms.Server){
		"the server shuts down": func(fake *faketms.Server) { fake.Fail("Acquire", unavailable(), unavailable()) },
		"the stream breaks":     func(fake *faketms.Server) { fake.Break(2) },
		"both":                  func(fake *faketms.Server) { fake.Fail("Acquire", unavailable()); fake.Break(1) },
	} {
		for _, protocol := range []client.Protocol{client.GRPC, client.GRPCWeb, client.Connect} {
			t.Run(name, func(t *testing.T) {
				var retries int
				fake, c := serve(t, noBackoff, client.WithProtocol(protocol), client.WithOnRetry(func(error, time.Duration) { retries++ }))
				prepare(fake)
				lease, err := c.Acquire(t.Context(), &tmsv1.AcquireRequest{}, nil)
				require.NoError(t, err)
				require.Equal(t, "lease-1", lease.Id)
				require.Len(t, fake.Leases(), 1)
				require.Equal(t, 2, retries)
				ids := requestIDs(fake)
				require.Len(t, ids, 3)
				require.NotEmpty(t, ids[0])
				require.Equal(t, []string{ids[0], ids[0], ids[0]}, ids)
			})
		}
	}
}

// TestAcquireRequestID checks that a request id of the caller is kept.
func TestAcquireRequestID(t *testing.T) {
	t.Parallel()
	fake, c := serve(t, noBackoff)
	fake.Break(1)
	_, err := c.Acquire(t.Context(), &tmsv1.AcquireRequest{RequestId: "mine"}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"mine", "mine"}, requestIDs(fake))
}

// TestAcquireTruncated checks a stream that ends without an error before its last response.
func TestAcquireTruncated(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	fake := faketms.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.Header().Set("Content-Type", "application/connect+proto")
			_, _ = w.Write([]byte{2, 0, 0, 0, 2, '{', '}'}) // the end of a stream without responses
			return
		}
		fake.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c := newClient(t, server.URL, noBackoff, client.WithProtocol(client.Connect))
	lease, err := c.Acquire(t.Context(), nil, nil)
	require.NoError(t, err)
	require.Equal(t, "lease-1", lease.Id)
}

// TestAcquireRefused checks that a refused request is not retried.
func TestAcquireRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []connect.Code{
		connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeAlreadyExists, connect.CodeResourceExhausted,
		connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeDeadlineExceeded, connect.CodeInternal, connect.CodeUnknown,
	} {
		fake, c := serve(t, noBackoff)
		fake.Fail("Acquire", connect.NewError(code, errors.New("no")))
		_, err := c.Acquire(t.Context(), nil, nil)
		var failure *client.Error
		require.ErrorAs(t, err, &failure)
		require.Equal(t, code, failure.Code)
		require.True(t, failure.Reached)
		require.False(t, failure.Unreachable())
		require.Len(t, fake.Calls("Acquire"), 1, code)
	}
}

// TestAcquireOtherServer checks that a server that is not a tms-server gets no retry.
func TestAcquireOtherServer(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = w.Write([]byte("<h1>It works!</h1>"))
	}))
	t.Cleanup(server.Close)
	for _, protocol := range []client.Protocol{client.GRPCWeb, client.Connect} {
		calls.Store(0)
		_, err := newClient(t, server.URL, noBackoff, client.WithProtocol(protocol)).Acquire(t.Context(), nil, nil)
		require.Error(t, err)
		require.EqualValues(t, 1, calls.Load())
	}
}

// closedURL returns the URL of a server that is closed.
func closedURL() string {
	server := httptest.NewServer(nil)
	server.Close()
	return server.URL
}

// TestAcquireUnreachable checks that the connect timeout and the context end an Acquire that
// reaches no server.
func TestAcquireUnreachable(t *testing.T) {
	t.Parallel()
	_, err := newClient(t, closedURL(), noBackoff, client.WithConnectTimeout(time.Nanosecond)).Acquire(t.Context(), nil, nil)
	var failure *client.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, connect.CodeUnavailable, failure.Code)
	require.False(t, failure.Reached)

	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	_, err = newClient(t, closedURL(), noBackoff, client.WithOnRetry(func(err error, _ time.Duration) {
		require.ErrorAs(t, err, &failure)
		if attempts++; attempts == 3 {
			cancel()
		}
	})).Acquire(ctx, nil, nil)
	require.ErrorAs(t, err, &failure)
	require.Equal(t, connect.CodeCanceled, failure.Code)
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, failure.Unreleased)
}

// TestFailFast checks that Acquire fails at once if it cannot connect, and retries if a
// connection broke.
func TestFailFast(t *testing.T) {
	t.Parallel()
	var retries atomic.Int32
	options := []client.Option{noBackoff, client.WithFailFast(), client.WithOnRetry(func(error, time.Duration) { retries.Add(1) })}
	for _, url := range []string{closedURL(), "http://tms.invalid:8443"} {
		_, err := newClient(t, url, options...).Acquire(t.Context(), nil, nil)
		var failure *client.Error
		require.ErrorAs(t, err, &failure)
		require.True(t, failure.Unreachable(), url)
		require.Zero(t, retries.Load(), url)
	}
	fake := faketms.New()
	handler := fake.Handler()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) <= 2 {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	_, err := newClient(t, server.URL, append(options, client.WithProtocol(client.Connect))...).Acquire(t.Context(), nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, retries.Load())
}

// TestFailFastHandshake checks that Acquire retries once if a connection of a dial function
// breaks in the TLS handshake, as that of a port-forward to a pod that ends.
func TestFailFastHandshake(t *testing.T) {
	t.Parallel()
	for broken, attempts := range map[int32]int32{1: 2, 100: 2} {
		server := faketms.New().StartTLS()
		t.Cleanup(server.Close)
		pool := x509.NewCertPool()
		pool.AddCert(server.Certificate())
		var dials atomic.Int32
		dial := client.WithDialContext(func(ctx context.Context, network, _ string) (net.Conn, error) {
			if dials.Add(1) > broken {
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			}
			near, far := net.Pipe()
			return near, far.Close()
		})
		c := newClient(t, "https://example.com", noBackoff, client.WithFailFast(), client.WithCAPool(pool), dial)
		_, err := c.Acquire(t.Context(), nil, nil)
		require.Equal(t, broken > 1, err != nil, "%v", err)
		require.Equal(t, attempts, dials.Load(), "%v", err)
	}
}

// TestConnectTimeoutReached checks that the connect timeout does not count once a server
// responded.
func TestConnectTimeoutReached(t *testing.T) {
	t.Parallel()
	fake, c := serve(t, noBackoff, client.WithConnectTimeout(time.Nanosecond), client.WithFailFast())
	fake.Fail("Acquire", unavailable(), unavailable())
	_, err := c.Acquire(t.Context(), nil, nil)
	require.NoError(t, err)
}

// TestAcquireCanceled checks that the lease is released when the context ends.
func TestAcquireCanceled(t *testing.T) {
	t.Parallel()
	fake, c := serve(t)
	fake.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Acquire(ctx, nil, func(*tmsv1.AcquireResponse) { cancel() })
	var failure *client.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, connect.CodeCanceled, failure.Code)
	require.True(t, failure.Reached)
	require.Nil(t, failure.Unreleased)
	require.Empty(t, fake.Leases())

	fake.Fail("Release", unavailable())
	ctx, cancel = context.WithCancel(t.Context())
	_, err = c.Acquire(ctx, &tmsv1.AcquireRequest{Namespace: "vision"}, func(*tmsv1.AcquireResponse) { cancel() })
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "lease-2", failure.Unreleased.GetId())
	require.Equal(t, "vision", failure.Unreleased.GetNamespace())
}

// TestAcquireCanceledInBackoff checks that the lease is released if the context ends between
// two attempts.
func TestAcquireCanceledInBackoff(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	fake, c := serve(t, client.WithBackoff(func(int) time.Duration { cancel(); return time.Hour }))
	fake.Break(1)
	_, err := c.Acquire(ctx, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, fake.Leases())
}
