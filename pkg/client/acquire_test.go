package client_test

import (
	"context"
	"errors"
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

var atOnce = client.WithBackoff(func(int) time.Duration { return 0 })

func unavailable() error {
	return connect.NewError(connect.CodeUnavailable, errors.New("the server ends"))
}

// requestIDs returns what the acquisitions that came were called.
func requestIDs(fake *faketms.Server) []string {
	var ids []string
	for _, call := range fake.Calls("Acquire") {
		ids = append(ids, call.Message.(*tmsv1.AcquireRequest).RequestId)
	}
	return ids
}

func TestAcquire(t *testing.T) {
	fake, c := serve(t)
	request := &tmsv1.AcquireRequest{Spec: &tmsv1.LeaseSpec{Models: []*tmsv1.Model{{Name: "m", Uri: "s3://models"}}}}
	var answers []*tmsv1.AcquireResponse
	lease, err := c.Acquire(t.Context(), request, func(answer *tmsv1.AcquireResponse) { answers = append(answers, answer) })
	require.NoError(t, err)
	require.Equal(t, "lease-1", lease.Id)
	require.Equal(t, tmsv1.State_STATE_SERVING, lease.State)
	require.Len(t, answers, 3)
	require.True(t, answers[2].Complete)
	require.Empty(t, request.RequestId, "the request of the caller was changed")

	// Each call is a lease of its own, also of the same request.
	lease, err = c.Acquire(t.Context(), request, nil)
	require.NoError(t, err)
	require.Equal(t, "lease-2", lease.Id)
	ids := requestIDs(fake)
	require.NotEmpty(t, ids[0])
	require.NotEqual(t, ids[0], ids[1])
}

// TestAcquireAgain: whatever goes wrong on the way, one call makes one lease, because
// all its attempts have one request id.
func TestAcquireAgain(t *testing.T) {
	for name, prepare := range map[string]func(*faketms.Server){
		"the server ends":     func(fake *faketms.Server) { fake.Fail("Acquire", unavailable(), unavailable()) },
		"the stream breaks":   func(fake *faketms.Server) { fake.Break(2) },
		"one after the other": func(fake *faketms.Server) { fake.Fail("Acquire", unavailable()); fake.Break(1) },
	} {
		for _, protocol := range []client.Protocol{client.GRPC, client.GRPCWeb, client.Connect} {
			t.Run(name, func(t *testing.T) {
				var retries int
				fake, c := serve(t, atOnce, client.WithProtocol(protocol), client.WithOnRetry(func(error, time.Duration) { retries++ }))
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

// TestAcquireGivenID: a request id of the caller's is kept.
func TestAcquireGivenID(t *testing.T) {
	fake, c := serve(t, atOnce)
	fake.Break(1)
	_, err := c.Acquire(t.Context(), &tmsv1.AcquireRequest{RequestId: "mine"}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"mine", "mine"}, requestIDs(fake))
}

// TestAcquireShort: a stream that ends as if all were said, before all was said.
func TestAcquireShort(t *testing.T) {
	var calls atomic.Int32
	fake := faketms.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.Header().Set("Content-Type", "application/connect+proto")
			_, _ = w.Write([]byte{2, 0, 0, 0, 2, '{', '}'}) // the end of a stream without answers
			return
		}
		fake.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c := connected(t, server.URL, atOnce, client.WithProtocol(client.Connect))
	lease, err := c.Acquire(t.Context(), nil, nil)
	require.NoError(t, err)
	require.Equal(t, "lease-1", lease.Id)
}

// TestAcquireRefused: what the server refuses is not asked for again.
func TestAcquireRefused(t *testing.T) {
	for _, code := range []connect.Code{
		connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeAlreadyExists, connect.CodeResourceExhausted,
		connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeDeadlineExceeded, connect.CodeInternal, connect.CodeUnknown,
	} {
		fake, c := serve(t, atOnce)
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

// TestAcquireElsewhere: what answers is no tms-server, and will not become one.
func TestAcquireElsewhere(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = w.Write([]byte("<h1>It works!</h1>"))
	}))
	t.Cleanup(server.Close)
	for _, protocol := range []client.Protocol{client.GRPCWeb, client.Connect} {
		calls.Store(0)
		_, err := connected(t, server.URL, atOnce, client.WithProtocol(protocol)).Acquire(t.Context(), nil, nil)
		require.Error(t, err)
		require.EqualValues(t, 1, calls.Load())
	}
}

// nowhere is the URL of a server that is gone.
func nowhere() string {
	server := httptest.NewServer(nil)
	server.Close()
	return server.URL
}

// TestAcquireNowhere: patience, or the context, ends what never reached anything.
func TestAcquireNowhere(t *testing.T) {
	_, err := connected(t, nowhere(), atOnce, client.WithPatience(time.Nanosecond)).Acquire(t.Context(), nil, nil)
	var failure *client.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, connect.CodeUnavailable, failure.Code)
	require.False(t, failure.Reached)

	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	_, err = connected(t, nowhere(), atOnce, client.WithOnRetry(func(err error, _ time.Duration) {
		require.ErrorAs(t, err, &failure)
		if attempts++; attempts == 3 {
			cancel()
		}
	})).Acquire(ctx, nil, nil)
	require.ErrorAs(t, err, &failure)
	require.Equal(t, connect.CodeCanceled, failure.Code)
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, failure.Left)
}

// TestPatienceReached: patience is for servers that never answered. One that ends
// comes back.
func TestPatienceReached(t *testing.T) {
	fake, c := serve(t, atOnce, client.WithPatience(time.Nanosecond))
	fake.Fail("Acquire", unavailable(), unavailable())
	_, err := c.Acquire(t.Context(), nil, nil)
	require.NoError(t, err)
}

// TestAcquireCanceled: who stops waiting is left with no lease.
func TestAcquireCanceled(t *testing.T) {
	fake, c := serve(t)
	fake.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Acquire(ctx, nil, func(*tmsv1.AcquireResponse) { cancel() })
	var failure *client.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, connect.CodeCanceled, failure.Code)
	require.True(t, failure.Reached)
	require.Nil(t, failure.Left)
	require.Empty(t, fake.Leases())

	fake.Fail("Release", unavailable())
	ctx, cancel = context.WithCancel(t.Context())
	_, err = c.Acquire(ctx, &tmsv1.AcquireRequest{Namespace: "vision"}, func(*tmsv1.AcquireResponse) { cancel() })
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "lease-2", failure.Left.GetId())
	require.Equal(t, "vision", failure.Left.GetNamespace())
}

// TestAcquireKilled: nothing tells a caller that waits to try again that its lease
// goes; it is released all the same.
func TestAcquireKilled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	fake, c := serve(t, client.WithBackoff(func(int) time.Duration { cancel(); return time.Hour }))
	fake.Break(1)
	_, err := c.Acquire(ctx, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, fake.Leases())
}
