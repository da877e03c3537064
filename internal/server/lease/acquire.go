package lease

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"connectrpc.com/connect"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/server/audit"
	"github.com/triton-leases/tms/internal/server/violations"
	"github.com/triton-leases/tms/pkg/policy"
)

// Annotations of the leases that this package creates.
const (
	requestedByAnnotation = "tms.triton-leases.dev/requested-by"
	requestIDAnnotation   = "tms.triton-leases.dev/request-id"
)

// acquireByStep is the step of acquireBy times.
const acquireByStep = 10 * time.Second

// acquisition is one call of Acquire.
type acquisition struct {
	*Service
	// acquireBy is when the controller releases the lease if it is not acquired by then.
	// It is nil if the caller does not wait.
	acquireBy *metav1.Time
	// changed receives a value when the lease changes in the cache.
	changed <-chan struct{}
	send    func(*tmsv1.AcquireResponse) error
}

// Acquire implements tmsv1connect.LeaseServiceHandler. It creates a lease with an
// acquireBy time, and removes that time when the lease serves. If the caller disconnects
// or this process dies before, the controller releases the lease at that time.
func (s *Service) Acquire(ctx context.Context, request *connect.Request[tmsv1.AcquireRequest], stream *connect.ServerStream[tmsv1.AcquireResponse]) error {
	desired, granted, err := s.parseAcquire(ctx, request.Msg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.MaxWait)
	defer cancel()
	a := &acquisition{Service: s, send: stream.Send}
	if deadline, ok := ctx.Deadline(); ok && !request.Msg.GetNoWait() {
		// Round up, so that the call ends first, and so that most repeats of a call have the
		// same time and do not change the lease.
		acquireBy := metav1.NewTime(deadline.Add(acquireByStep).Truncate(acquireByStep))
		a.acquireBy = &acquireBy
	}
	changed, unsubscribe := s.Notifier.Subscribe(client.ObjectKeyFromObject(desired))
	defer unsubscribe()
	a.changed = changed
	lease, err := a.create(ctx, desired)
	if err == nil && a.acquireBy != nil {
		lease, err = a.wait(ctx, lease)
		if err == nil {
			err = a.recheck(ctx, lease)
		}
	}
	if err != nil {
		return err
	}
	if lease.Status.Granted == nil { // the controller has not reconciled the lease yet
		lease.Status.Granted = granted
	}
	acquired := toProto(lease)
	if err := s.markAcquired(ctx, lease); err != nil {
		return err
	}
	return stream.Send(&tmsv1.AcquireResponse{Lease: acquired, Complete: true})
}

// recheck returns an error if the caller lost the right to create the lease while it
// waited, or if their token expired. It then releases the lease.
func (a *acquisition) recheck(ctx context.Context, lease *v1alpha1.TritonLease) error {
	ctx, err := a.Reviewer.Recheck(ctx)
	if err == nil {
		err = a.authorize(ctx, "create", client.ObjectKey{Namespace: lease.Namespace})
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated, connect.CodePermissionDenied:
		a.release(lease)
		return err
	}
	if err != nil { // the API server did not answer, or the caller disconnected
		return a.disconnected(lease, err)
	}
	return nil
}

// parseAcquire checks and authorizes a request. It returns the lease that the request
// asks for, and what the policy grants to it.
func (s *Service) parseAcquire(ctx context.Context, request *tmsv1.AcquireRequest) (*v1alpha1.TritonLease, *v1alpha1.Granted, error) {
	namespace := s.RequestedNamespace(request.GetNamespace())
	var invalid violations.List
	invalid.CheckLabel("namespace", namespace)
	lease, errs := newLease(namespace, request.GetSpec())
	lease.Name = request.GetName()
	if lease.Name != "" {
		invalid.CheckLabel("name", lease.Name)
	}
	if !validRequestID(request.GetRequestId()) {
		invalid.Add("request_id", "must be at most 128 printable ASCII characters")
	}
	for _, err := range errs {
		invalid.Add(err.Field, err.ErrorBody())
	}
	if err := invalid.InvalidArgument(); err != nil {
		return nil, nil, err
	}
	audit.SetLease(ctx, namespace, lease.Name)
	// Errors after this reveal the bounds and the leases of the namespace.
	if err := s.authorize(ctx, "create", client.ObjectKey{Namespace: namespace}); err != nil {
		return nil, nil, err
	}
	user := auth.UserFrom(ctx).Username
	if lease.Name == "" {
		lease.Name = generateName(namespace, user, request.GetRequestId())
	}
	audit.SetLease(ctx, namespace, lease.Name)
	lease.Annotations = map[string]string{requestedByAnnotation: user}
	if id := request.GetRequestId(); id != "" {
		lease.Annotations[requestIDAnnotation] = id
	}
	granted, err := s.grant(ctx, lease)
	return lease, granted, err
}

// grant returns what the policy grants to a lease, or the same refusal as the controller,
// before the lease is created.
func (s *Service) grant(ctx context.Context, lease *v1alpha1.TritonLease) (*v1alpha1.Granted, error) {
	renderer := s.Configuration.LeaseRenderer()
	granted, err := renderer.GrantTritonLease(lease)
	if err == nil {
		err = s.fit(ctx, renderer, lease, granted)
	}
	var refusal policy.Refusal
	if errors.As(err, &refusal) {
		return nil, policyError(refusal)
	}
	if err != nil {
		return nil, err
	}
	return &v1alpha1.Granted{Grant: granted.Grant, Term: granted.Term}, nil
}

// generateName returns a name for a lease without one. Calls of one user with the same
// request id get the same name, so that they share the lease.
func generateName(namespace, user, requestID string) string {
	if requestID == "" {
		requestID = rand.Text()
	}
	sum := sha256.Sum256([]byte(namespace + "\x00" + user + "\x00" + requestID))
	return hex.EncodeToString(sum[:8])
}

func validRequestID(id string) bool {
	const maxLength = 128
	for _, c := range []byte(id) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(id) <= maxLength
}
