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

// wait waits until a lease serves, and sends a response for each change.
func (a *acquisition) wait(ctx context.Context, lease *v1alpha1.TritonLease) (*v1alpha1.TritonLease, error) {
	var sent *tmsv1.Lease
	for {
		current := toProto(lease)
		switch current.GetState() {
		case tmsv1.State_STATE_SERVING:
			return lease, nil
		case tmsv1.State_STATE_REFUSED:
			a.release(lease)
			return nil, refusedError(current)
		case tmsv1.State_STATE_RELEASED:
			return nil, errReleased
		}
		if !proto.Equal(current, sent) {
			if err := a.send(&tmsv1.AcquireResponse{Lease: changedFields(sent, current)}); err != nil {
				return nil, a.disconnected(lease, err)
			}
			sent = current
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, a.deadlineExceeded(lease, current)
			}
			return nil, a.disconnected(lease, connect.NewError(connect.CodeCanceled, ctx.Err()))
		case <-a.Stopping:
			return nil, a.disconnected(lease, errStopping)
		case <-a.changed:
		}
		updated, err := a.refresh(ctx, lease)
		if err != nil {
			return nil, err
		}
		lease = updated
	}
}

// refresh reads a lease again from the cache. If the cache does not have this lease yet,
// or still has a deleted one with the same name, refresh reads from the API server.
func (a *acquisition) refresh(ctx context.Context, lease *v1alpha1.TritonLease) (*v1alpha1.TritonLease, error) {
	key, current := client.ObjectKeyFromObject(lease), new(v1alpha1.TritonLease)
	err := a.Client.Get(ctx, key, current)
	if apierrors.IsNotFound(err) || err == nil && current.UID != lease.UID {
		current = new(v1alpha1.TritonLease)
		err = a.APIReader.Get(ctx, key, current)
	}
	if apierrors.IsNotFound(err) || err == nil && current.UID != lease.UID {
		return nil, errReleased
	}
	if err != nil {
		return nil, APIServerError(ctx, err)
	}
	return current, nil
}

// disconnected ends a call if the caller disconnected or must retry at another replica. It
// returns reason. With a request id, the caller can retry until acquireBy. Without one, no
// call can find the lease again, and disconnected releases it.
func (a *acquisition) disconnected(lease *v1alpha1.TritonLease, reason error) error {
	if lease.Annotations[requestIDAnnotation] == "" {
		a.release(lease)
	}
	return reason
}

// deadlineExceeded ends a call at its deadline.
func (a *acquisition) deadlineExceeded(lease *v1alpha1.TritonLease, current *tmsv1.Lease) error {
	result := "the lease did not serve in time and is released again"
	if !a.release(lease) {
		result = "the lease does not serve yet; it stays, because another call with this request_id acquired it or waits for it"
	}
	return connect.NewError(connect.CodeDeadlineExceeded, fmt.Errorf("%s: %s", result, current.GetMessage()))
}

// release deletes a lease that was not acquired, and reports whether it will be gone.
// The lease stays if another call with the same request id acquired it or waits longer.
// If the deletion fails, the controller releases the lease at acquireBy.
func (a *acquisition) release(lease *v1alpha1.TritonLease) (gone bool) {
	const timeout = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), timeout) // the context of the call has ended
	defer cancel()
	gone = true
	_ = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		current := new(v1alpha1.TritonLease)
		if err := a.APIReader.Get(ctx, client.ObjectKeyFromObject(lease), current); err != nil || current.UID != lease.UID {
			return err
		}
		if acquireBy := current.Spec.AcquireBy; acquireBy == nil || a.acquireBy.Before(acquireBy) {
			gone = false
			return nil
		}
		return a.Client.Delete(ctx, current, client.Preconditions{UID: &current.UID, ResourceVersion: &current.ResourceVersion})
	})
	return gone
}

// markAcquired removes the acquireBy time of a lease, so that the controller does not
// release it.
func (s *Service) markAcquired(ctx context.Context, lease *v1alpha1.TritonLease) error {
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
		return APIServerError(ctx, err)
	}
	return nil
}
