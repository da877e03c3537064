package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
)

// releaseTimeout is how long Acquire tries to release a lease after its context ended.
const releaseTimeout = 10 * time.Second

// Acquire creates a lease and waits until it serves or, if the request sets no_wait,
// until it is granted. It returns the complete lease. If progress is not nil, Acquire
// calls it with each response of the server, including the last one.
//
// Acquire generates a request_id if the request has none. If it cannot reach a server,
// if the server shuts down, or if the stream breaks, it retries with the same request_id
// until the context ends, so that one call creates one lease. It does not retry if the
// server refuses the request, or if TLS does not trust the server. WithFailFast and
// WithConnectTimeout limit the retries before the first response.
//
// If the context ends first, Acquire releases the lease; Error.Unreleased is a lease that
// it could not release. Without a deadline, Acquire waits as long as the server does. It
// does not change the request.
func (c *Client) Acquire(ctx context.Context, request *tmsv1.AcquireRequest, progress func(*tmsv1.AcquireResponse)) (*tmsv1.Lease, error) {
	request = proto.CloneOf(request)
	if request == nil {
		request = new(tmsv1.AcquireRequest)
	}
	if request.GetRequestId() == "" {
		request.RequestId = rand.Text()
	}
	a := acquisition{client: c, request: request, progress: progress, start: time.Now()}
	for {
		lease, err := a.attempt(ctx)
		if err == nil {
			return lease, nil
		}
		if !a.retriable(ctx, err) {
			return nil, a.fail(ctx, err)
		}
		if err := a.backOff(ctx, err); err != nil {
			return nil, a.fail(ctx, err)
		}
	}
}

// acquisition is one call of Acquire with all its attempts.
type acquisition struct {
	client   *Client
	request  *tmsv1.AcquireRequest
	progress func(*tmsv1.AcquireResponse)
	start    time.Time
	// failures is the number of failed attempts since the last response.
	failures int
	// reached reports whether a server responded to any attempt.
	reached bool
	// connected reports whether the last attempt had a connection, so that the connection
	// broke if the attempt failed.
	connected bool
	// handshake reports whether the last attempt began a TLS handshake. With WithDialContext,
	// it is all that is known of a connection that broke before the end of the handshake.
	handshake bool
	// streamed reports whether a server responded to the last attempt.
	streamed bool
	// namespace and id are those of the lease, once a response had them.
	namespace, id string
}

// attempt calls the server once.
func (a *acquisition) attempt(ctx context.Context) (*tmsv1.Lease, error) {
	a.connected, a.handshake, a.streamed = false, false, false
	r, err := request(ctx, a.client, a.request)
	if err != nil {
		return nil, err
	}
	// Canceling ends the stream if attempt returns before the last response.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var connected, handshake atomic.Bool // the transport connects in a goroutine
	defer func() { a.connected, a.handshake = connected.Load(), handshake.Load() }()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				connected.Store(true)
			}
		},
		TLSHandshakeStart: func() { handshake.Store(true) },
		GotConn:           func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	stream, err := a.client.leases.Acquire(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	for stream.Receive() {
		response := stream.Msg()
		a.received(response)
		if !response.GetComplete() {
			continue
		}
		if response.GetLease() == nil {
			return nil, connect.NewError(connect.CodeInternal, errors.New("the last response has no lease"))
		}
		return response.GetLease(), nil
	}
	a.streamed = len(stream.ResponseHeader()) > 0
	a.reached = a.reached || a.streamed || connect.IsWireError(stream.Err())
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return nil, connect.NewError(connect.CodeUnavailable, errors.New("the stream ended before the last response"))
}

func (a *acquisition) received(response *tmsv1.AcquireResponse) {
	a.reached, a.failures = true, 0
	if lease := response.GetLease(); lease.GetId() != "" {
		a.namespace, a.id = lease.GetNamespace(), lease.GetId()
	}
	if a.progress != nil {
		a.progress(response)
	}
}

// retriable reports whether another attempt can succeed.
func (a *acquisition) retriable(ctx context.Context, err error) bool {
	if ctx.Err() != nil || permanent(err) {
		return false
	}
	again := a.handshake && a.failures == 0 // a port-forward can also break because the port is closed
	if a.client.failFast && !a.reached && !a.connected && !again {
		return false
	}
	if timeout := a.client.connectTimeout; timeout > 0 && !a.reached && time.Since(a.start) >= timeout {
		return false
	}
	code := connect.CodeOf(err)
	if code == connect.CodeUnavailable {
		return true
	}
	if connect.IsWireError(err) {
		return false
	}
	switch code {
	case connect.CodeCanceled, connect.CodeDeadlineExceeded:
		return true // of the connection, because ctx has not ended
	case connect.CodeUnknown, connect.CodeInternal:
		return a.streamed // a stream that breaks ends with these codes
	}
	return false
}

// permanent reports whether an error of the connection cannot change: the server is not
// trusted, or does not use TLS.
func permanent(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		alert        tls.AlertError
		record       tls.RecordHeaderError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &alert) ||
		errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}

// backOff waits before the next attempt. If the context ends first, it returns an error
// that wraps the error of the last attempt.
func (a *acquisition) backOff(ctx context.Context, last error) error {
	wait := a.client.backoff(a.failures)
	a.failures++
	if a.client.onRetry != nil {
		a.client.onRetry(newError(tmsv1connect.LeaseServiceAcquireProcedure, last), wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return connect.NewError(codeOf(ctx.Err()), fmt.Errorf("%w; last error: %w", ctx.Err(), last))
	}
}

// fail returns the error of Acquire. It releases the lease if the context has ended.
func (a *acquisition) fail(ctx context.Context, err error) error {
	e := newError(tmsv1connect.LeaseServiceAcquireProcedure, err)
	e.Reached = a.reached
	if ctx.Err() == nil || a.id == "" {
		return e
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	release := &tmsv1.ReleaseRequest{Namespace: a.namespace, Id: a.id}
	if _, err := a.client.Release(ctx, release); err != nil {
		e.Unreleased = release
	}
	return e
}
