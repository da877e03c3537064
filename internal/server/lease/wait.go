package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

var (
	// errStopping has the caller try another replica.
	errStopping = connect.NewError(connect.CodeUnavailable, errors.New("the server ends; try again with the same request_id"))
	errReleased = connect.NewError(connect.CodeAborted, errors.New("somebody released the lease"))
)

// wait waits until a lease serves, and tells of what changes meanwhile.
func (a *acquisition) wait(ctx context.Context, lease *v1alpha1.TritonLease) (*v1alpha1.TritonLease, error) {
	var told *tmsv1.Lease
	for {
		now := answer(lease)
		switch now.GetState() {
		case tmsv1.State_STATE_SERVING:
			return lease, nil
		case tmsv1.State_STATE_REFUSED:
			a.giveUp(lease)
			return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New(now.GetMessage()))
		case tmsv1.State_STATE_RELEASED:
			return nil, errReleased
		}
		if !proto.Equal(now, told) {
			if err := a.tell(&tmsv1.AcquireResponse{Lease: whatChanged(told, now)}); err != nil {
				return nil, a.leave(lease, err)
			}
			told = now
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, a.late(lease, now)
			}
			return nil, a.leave(lease, connect.NewError(connect.CodeCanceled, ctx.Err()))
		case <-a.Stopping:
			return nil, a.leave(lease, errStopping)
		case <-a.changed:
		}
		current, err := a.look(ctx, lease)
		if err != nil {
			return nil, err
		}
		lease = current
	}
}

// look returns a lease as it is now. What is in memory may not have it yet, or may
// still have one that was called so before: then the API server knows.
func (a *acquisition) look(ctx context.Context, lease *v1alpha1.TritonLease) (*v1alpha1.TritonLease, error) {
	key, current := client.ObjectKeyFromObject(lease), new(v1alpha1.TritonLease)
	err := a.Client.Get(ctx, key, current)
	if apierrors.IsNotFound(err) || err == nil && current.UID != lease.UID {
		current = new(v1alpha1.TritonLease)
		err = a.Live.Get(ctx, key, current)
	}
	if apierrors.IsNotFound(err) || err == nil && current.UID != lease.UID {
		return nil, errReleased
	}
	if err != nil {
		return nil, failed(ctx, err)
	}
	return current, nil
}

// whatChanged leaves out of an answer what an earlier one told already.
func whatChanged(told, now *tmsv1.Lease) *tmsv1.Lease {
	changed := proto.CloneOf(now)
	if told == nil {
		return changed
	}
	changed.Models = nil
	for i, model := range now.GetModels() {
		if i >= len(told.GetModels()) || !proto.Equal(model, told.GetModels()[i]) {
			changed.Models = append(changed.Models, model)
		}
	}
	if proto.Equal(told.GetReplicas(), now.GetReplicas()) {
		changed.Replicas = nil
	}
	if proto.Equal(told.GetGranted(), now.GetGranted()) {
		changed.Granted = nil
	}
	if told.GetMessage() == now.GetMessage() {
		changed.Message = ""
	}
	if told.GetAddress() == now.GetAddress() {
		changed.Address = ""
	}
	if proto.Equal(told.GetExpiresAt(), now.GetExpiresAt()) {
		changed.ExpiresAt = nil
	}
	changed.CreatedAt = nil
	return changed
}

// leave is the end of a call whose caller has gone, or has to ask another server. Who
// has a request id may come back for the lease before its time is over; it is of use
// to nobody else, and released at once.
func (a *acquisition) leave(lease *v1alpha1.TritonLease, reason error) error {
	if lease.Annotations[requestID] == "" {
		a.giveUp(lease)
	}
	return reason
}

// late is the end of a call whose time is over.
func (a *acquisition) late(lease *v1alpha1.TritonLease, now *tmsv1.Lease) error {
	what := "the lease did not serve in time, and is released again"
	if !a.giveUp(lease) {
		what = "the lease does not serve yet, and stays: another call with this request_id acquired it, or waits for it"
	}
	return connect.NewError(connect.CodeDeadlineExceeded, fmt.Errorf("%s: %s", what, now.GetMessage()))
}

// giveUp releases a lease that the caller cannot have, and says whether it will be
// gone. It stays where another call with the same request id has it, or has longer to
// wait for it. What cannot be found out or done here, the controller does in time.
func (a *acquisition) giveUp(lease *v1alpha1.TritonLease) (gone bool) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience) // that of the caller is over
	defer cancel()
	gone = true
	_ = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		current := new(v1alpha1.TritonLease)
		if err := a.Live.Get(ctx, client.ObjectKeyFromObject(lease), current); err != nil || current.UID != lease.UID {
			return err
		}
		if by := current.Spec.AcquireBy; by == nil || a.by.Before(by) {
			gone = false
			return nil
		}
		return a.Client.Delete(ctx, current, client.Preconditions{UID: &current.UID, ResourceVersion: &current.ResourceVersion})
	})
	return gone
}

// keep has the caller keep a lease: nobody needs to acquire it any more.
func (s *Service) keep(ctx context.Context, lease *v1alpha1.TritonLease) error {
	if lease.Spec.AcquireBy == nil {
		return nil
	}
	before := lease.DeepCopy()
	lease.Spec.AcquireBy = nil
	err := s.Client.Patch(ctx, lease, client.MergeFrom(before))
	if apierrors.IsNotFound(err) {
		return errReleased
	}
	if err != nil {
		return failed(ctx, err)
	}
	return nil
}
