package controller

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// autoRenew renews a lease near its end if it served requests within the interval.
// Otherwise it sets the condition AutoRenew before the lease expires.
func (r *reconciliation) autoRenew(ctx context.Context, duration, interval time.Duration) error {
	set := func(status metav1.ConditionStatus, reason, format string, args ...any) {
		r.setCondition(v1alpha1.ConditionAutoRenew, status, reason, fmt.Sprintf(format, args...))
	}
	notice := min(interval, duration/2)
	if left := r.status.ExpiresAt.Sub(r.startedAt); left > notice {
		meta.RemoveStatusCondition(&r.status.Conditions, v1alpha1.ConditionAutoRenew)
		r.requeueAfter(left - notice)
		return nil
	}
	end := r.status.ExpiresAt.UTC().Format(time.RFC3339)
	next := min(notice/10, time.Minute)
	switch served, err := r.requests.served(ctx, r.lease.Namespace, r.podSelector()); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		set(metav1.ConditionUnknown, "NoMetrics", "the lease expires at %s unless its requests can be counted: %v", end, err)
	case !served:
		set(metav1.ConditionFalse, "Idle", "the lease expires at %s unless it serves requests: it served none in the last %s", end, interval)
	default:
		now := metav1.NewTime(r.startedAt.Truncate(time.Second))
		r.status.RenewedAt = &now
		r.status.ExpiresAt = r.expiresAt(duration)
		set(metav1.ConditionTrue, "Renewed", "the lease served requests in the %s before %s", interval, now.UTC().Format(time.RFC3339))
		next = r.status.ExpiresAt.Sub(r.startedAt) - notice
	}
	r.recordCondition(v1alpha1.ConditionAutoRenew)
	r.requeueAfter(next)
	return nil
}

// podSelector returns the labels of the pods that serve the lease.
func (r *reconciliation) podSelector() map[string]string {
	if r.lease.Spec.Target != nil {
		return r.lease.Spec.Target.Selector
	}
	return map[string]string{managedByLabel: managedBy, v1alpha1.LeaseLabel: r.lease.Name}
}
