package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
)

// releaseWithin is how long Acquire tries to release a lease once its context ended.
const releaseWithin = 10 * time.Second

// Acquire makes a lease and waits until it serves, or where the request says no_wait,
// until it is granted. It returns the lease, complete. Each answer of the server,
// the last one, too, is given to progress, which may be nil, before Acquire goes on.
//
// A request without a request_id gets one made at random. Where the server cannot be
// reached, is ending, or the stream breaks off before its last answer, Acquire tries
// again with the same request_id until the context ends, so that one call makes one
// lease, however often it had to try. What cannot get better is not tried again: the
// server refuses, or TLS does not find it trustworthy.
//
// Where the context ends first, the lease is released; Error.Left names one that could
// not be. Without a deadline Acquire waits for as long as the server does. The request
// is not changed.
func (c *Client) Acquire(ctx context.Context, request *tmsv1.AcquireRequest, progress func(*tmsv1.AcquireResponse)) (*tmsv1.Lease, error) {
	request = proto.CloneOf(request)
	if request == nil {
		request = new(tmsv1.AcquireRequest)
	}
	if request.GetRequestId() == "" {
		request.RequestId = rand.Text()
	}
	a := acquisition{client: c, request: request, progress: progress, began: time.Now()}
	for {
		lease, err := a.attempt(ctx)
		if err == nil {
			return lease, nil
		}
		if !a.mayTryAgain(ctx, err) {
			return nil, a.failure(ctx, err)
		}
		if err := a.wait(ctx, err); err != nil {
			return nil, a.failure(ctx, err)
		}
	}
}

// acquisition is one call of Acquire, of several attempts.
type acquisition struct {
	client   *Client
	request  *tmsv1.AcquireRequest
	progress func(*tmsv1.AcquireResponse)
	began    time.Time
	// failed counts the attempts since the last answer.
	failed int
	// reached says whether a server answered ever, and broke whether this attempt had
	// got answers before it ended.
	reached, broke bool
	// namespace and id are those of the lease, once the server told.
	namespace, id string
}

// attempt calls the server once.
func (a *acquisition) attempt(ctx context.Context) (*tmsv1.Lease, error) {
	a.broke = false
	r, err := request(ctx, a.client, a.request)
	if err != nil {
		return nil, err
	}
	// The stream goes with the attempt, also where it is left before its end.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := a.client.leases.Acquire(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	for stream.Receive() {
		answer := stream.Msg()
		a.heard(answer)
		if !answer.GetComplete() {
			continue
		}
		if answer.GetLease() == nil {
			return nil, connect.NewError(connect.CodeInternal, errors.New("the last answer has no lease"))
		}
		return answer.GetLease(), nil
	}
	a.broke = len(stream.ResponseHeader()) > 0
	a.reached = a.reached || a.broke || connect.IsWireError(stream.Err())
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return nil, connect.NewError(connect.CodeUnavailable, errors.New("the stream ended before its last answer"))
}

func (a *acquisition) heard(answer *tmsv1.AcquireResponse) {
	a.reached, a.failed = true, 0
	if lease := answer.GetLease(); lease.GetId() != "" {
		a.namespace, a.id = lease.GetNamespace(), lease.GetId()
	}
	if a.progress != nil {
		a.progress(answer)
	}
}

// mayTryAgain says whether what an attempt ended with may be otherwise the next time.
func (a *acquisition) mayTryAgain(ctx context.Context, err error) bool {
	if ctx.Err() != nil || permanent(err) {
		return false
	}
	if patience := a.client.patience; patience > 0 && !a.reached && time.Since(a.began) >= patience {
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
		return true // not ours, so the connection's: it was closed, or could not be opened in time
	case connect.CodeUnknown, connect.CodeInternal:
		return a.broke // what a stream ends with that is cut
	}
	return false
}

// permanent says whether an error of the connection stays what it is: the other side
// is not to be trusted, or does not speak TLS.
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

// wait waits before the next attempt. Its error says what the last one ended with.
func (a *acquisition) wait(ctx context.Context, last error) error {
	pause := a.client.backoff(a.failed)
	a.failed++
	if a.client.onRetry != nil {
		a.client.onRetry(newError(tmsv1connect.LeaseServiceAcquireProcedure, last), pause)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return connect.NewError(codeOf(ctx.Err()), fmt.Errorf("%w; before that: %w", ctx.Err(), last))
	}
}

// failure is what Acquire ends with. Who stops waiting wants no lease.
func (a *acquisition) failure(ctx context.Context, err error) error {
	e := newError(tmsv1connect.LeaseServiceAcquireProcedure, err)
	e.Reached = a.reached
	if ctx.Err() == nil || a.id == "" {
		return e
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	release := &tmsv1.ReleaseRequest{Namespace: a.namespace, Id: a.id}
	if a.client.Release(ctx, release) != nil {
		e.Left = release
	}
	return e
}
