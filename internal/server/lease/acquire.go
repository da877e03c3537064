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
	"github.com/triton-leases/tms/internal/server/problem"
	"github.com/triton-leases/tms/pkg/policy"
)

const (
	// requestedBy and requestID are annotations of leases that were acquired here.
	requestedBy = "tms.triton-leases.dev/requested-by"
	requestID   = "tms.triton-leases.dev/request-id"
)

// acquisition is one call of Acquire.
type acquisition struct {
	*Service
	// by is when the lease is released unless it is acquired, nil where the caller does
	// not wait.
	by      *metav1.Time
	changed <-chan struct{}
	tell    func(*tmsv1.AcquireResponse) error
}

// Acquire implements tmsv1connect.LeaseServiceHandler. The lease carries the time by
// which it must be acquired; only when it serves is that taken away. So neither a
// caller who goes away nor the end of this process leaves one behind: the controller
// releases it.
func (s *Service) Acquire(ctx context.Context, request *connect.Request[tmsv1.AcquireRequest], stream *connect.ServerStream[tmsv1.AcquireResponse]) error {
	wanted, granted, err := s.wanted(ctx, request.Msg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Longest)
	defer cancel()
	a := &acquisition{Service: s, tell: stream.Send}
	if deadline, ok := ctx.Deadline(); ok && !request.Msg.GetNoWait() {
		// Whole seconds are what an object can hold; a second more does no harm.
		by := metav1.NewTime(deadline.Add(time.Second).Truncate(time.Second))
		a.by = &by
	}
	changed, forget := s.Changes.Of(client.ObjectKeyFromObject(wanted))
	defer forget()
	a.changed = changed
	lease, err := a.create(ctx, wanted)
	if err == nil && a.by != nil {
		lease, err = a.wait(ctx, lease)
	}
	if err != nil {
		return err
	}
	if lease.Status.Granted == nil { // which the controller will write down soon
		lease.Status.Granted = granted
	}
	acquired := answer(lease)
	if err := s.keep(ctx, lease); err != nil {
		return err
	}
	return stream.Send(&tmsv1.AcquireResponse{Lease: acquired, Complete: true})
}

// wanted returns the lease that a request asks for, where it may have it, and what it
// is granted.
func (s *Service) wanted(ctx context.Context, request *tmsv1.AcquireRequest) (*v1alpha1.TritonLease, *v1alpha1.Granted, error) {
	namespace := s.namespace(request.GetNamespace())
	lease, wrong := newLease(namespace, request.GetSpec())
	var all problem.Violations
	all.Label("namespace", namespace)
	if lease.Name = request.GetName(); lease.Name != "" {
		all.Label("name", lease.Name)
	}
	if id := request.GetRequestId(); !printable(id) {
		all.Add("request_id", "must be at most 128 printable characters")
	}
	add(&all, wrong)
	if err := all.Err(); err != nil {
		return nil, nil, err
	}
	// Before anything is said of the namespace, its bounds and what it holds.
	if err := s.authorize(ctx, "create", client.ObjectKey{Namespace: namespace}); err != nil {
		return nil, nil, err
	}
	user := auth.UserOf(ctx).Username
	if lease.Name == "" {
		lease.Name = newName(namespace, user, request.GetRequestId())
	}
	lease.Annotations = map[string]string{requestedBy: user}
	if id := request.GetRequestId(); id != "" {
		lease.Annotations[requestID] = id
	}
	granted, err := s.judge(lease)
	return lease, granted, err
}

// judge refuses what the controller would refuse, before anything is made.
func (s *Service) judge(lease *v1alpha1.TritonLease) (*v1alpha1.Granted, error) {
	objects, err := s.Configuration.LeaseRenderer().TritonLease(lease)
	var refusal policy.Refusal
	if errors.As(err, &refusal) {
		return nil, refused(refusal)
	}
	if err != nil {
		return nil, err
	}
	return &v1alpha1.Granted{Grant: objects.Lease.Grant, Term: objects.Lease.Term}, nil
}

// newName returns what a lease is called that has no name: the same for all calls of
// one user with one request id, which makes them one.
func newName(namespace, user, id string) string {
	if id == "" {
		id = rand.Text()
	}
	sum := sha256.Sum256([]byte(namespace + "\x00" + user + "\x00" + id))
	return hex.EncodeToString(sum[:8])
}

func printable(text string) bool {
	const most = 128
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(text) <= most
}
