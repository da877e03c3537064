package controller

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// reconcileTerm renews the lease if it serves requests, and reports whether it deleted
// an expired lease. The interval is how far back requests count.
func (r *reconciliation) reconcileTerm(ctx context.Context, interval time.Duration) (deleted bool, err error) {
	granted := r.status.Granted
	if granted == nil {
		return false, nil // no term was ever granted
	}
	duration := granted.Duration.Value()
	r.status.RenewedAt = r.renewedAt()
	r.status.ExpiresAt = r.expiresAt(duration)
	if r.status.ExpiresAt == nil || !granted.AutoRenew {
		meta.RemoveStatusCondition(&r.status.Conditions, v1alpha1.ConditionAutoRenew)
	} else if err := r.autoRenew(ctx, duration, interval); err != nil {
		return false, err
	}
	if r.status.ExpiresAt == nil {
		return false, nil
	}
	if left := r.status.ExpiresAt.Sub(r.startedAt); left > 0 {
		r.requeueAfter(left)
		return false, nil
	}
	r.recordEvent("Expired", nil, "the lease expired at %s", r.status.ExpiresAt.UTC().Format(time.RFC3339))
	return true, r.deleteLease(ctx)
}

// releaseUnacquired deletes a lease that was not acquired in time, and reports whether
// it did. The client and the server that acquire the lease may both have stopped.
func (r *reconciliation) releaseUnacquired(ctx context.Context) (deleted bool, err error) {
	deadline := r.lease.Spec.AcquireBy
	if deadline == nil {
		return false, nil
	}
	if left := deadline.Sub(r.startedAt); left > 0 {
		r.requeueAfter(left)
		return false, nil
	}
	r.recordEvent("NotAcquired", nil, "the lease was not acquired by %s and is released", deadline.UTC().Format(time.RFC3339))
	return true, r.deleteLease(ctx)
}

// deleteLease deletes the lease and its objects, but not a lease that changed since it
// was read, because the change may renew it.
func (r *reconciliation) deleteLease(ctx context.Context) error {
	err := r.Delete(ctx, r.lease, client.Preconditions{UID: &r.lease.UID, ResourceVersion: &r.lease.ResourceVersion},
		// Background deletion would keep a finalizer that orphans the objects.
		client.PropagationPolicy(metav1.DeletePropagationForeground))
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	r.recordPending()
	return nil
}

// renewedAt returns when the lease was last renewed, by a user or automatically. A
// renewal in the future does not count yet: it would evade the maximum duration.
func (r *reconciliation) renewedAt() *metav1.Time {
	return r.latest(r.lease.Status.RenewedAt, r.lease.Spec.RenewTime)
}

// latest returns the later of a known time and the time that a user asks for. A time in the
// future does not count until it comes.
func (r *reconciliation) latest(known, asked *metav1.Time) *metav1.Time {
	switch {
	case asked == nil:
	case asked.Before(&r.lease.CreationTimestamp):
		// It has no effect, and it may be a year that JSON cannot encode.
	case asked.After(r.startedAt):
		r.requeueAfter(asked.Sub(r.startedAt))
	case known == nil || known.Before(asked):
		return asked
	}
	return known
}

// expiresAt returns when the lease expires, nil if it does not. If the duration became
// shorter, the new duration counts from now: no lease expires without notice.
func (r *reconciliation) expiresAt(duration time.Duration) *metav1.Time {
	if duration == 0 {
		return nil
	}
	start := r.lease.CreationTimestamp.Time
	if r.status.RenewedAt != nil && r.status.RenewedAt.After(start) {
		start = r.status.RenewedAt.Time
	}
	end := start.Add(duration)
	promised := r.lease.Status.ExpiresAt
	fromNow := r.startedAt.Add(duration)
	switch {
	case promised == nil && r.wasRefused(): // this is its first grant
		end = fromNow
	case promised == nil && r.lease.Status.Granted != nil: // its previous grant had no end
		end = fromNow
	case promised != nil && end.Before(promised.Time):
		end = later(end, earlier(promised.Time, fromNow))
	}
	return &metav1.Time{Time: end.Truncate(time.Second)}
}

// wasRefused reports whether the previous reconciliation refused a lease that has no grant.
func (r *reconciliation) wasRefused() bool {
	return r.lease.Status.Granted == nil && meta.IsStatusConditionFalse(r.lease.Status.Conditions, v1alpha1.ConditionGranted)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
