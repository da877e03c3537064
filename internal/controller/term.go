package controller

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// keepTerm says when the lease ends, renews it where it serves requests, and
// deletes it at its end. The interval is how far back requests count.
func (p *pass) keepTerm(ctx context.Context, interval time.Duration) (ended bool, err error) {
	granted := p.status.Granted
	if granted == nil {
		return false, nil // it never had anything
	}
	duration := granted.Duration.Value()
	p.status.RenewedAt = p.renewedAt()
	p.status.ExpiresAt = p.expiresAt(duration)
	if p.status.ExpiresAt == nil || !granted.AutoRenew {
		meta.RemoveStatusCondition(&p.status.Conditions, v1alpha1.ConditionAutoRenew)
	} else if err := p.autoRenew(ctx, duration, interval); err != nil {
		return false, err
	}
	if p.status.ExpiresAt == nil {
		return false, nil
	}
	if left := p.status.ExpiresAt.Sub(p.at); left > 0 {
		p.lookAgain(left)
		return false, nil
	}
	p.happened("Expired", nil, "the lease ended at %s", p.status.ExpiresAt.UTC().Format(time.RFC3339))
	return true, p.end(ctx)
}

// abandoned deletes the lease where nobody acquired it in time: neither the program
// that asked for it, nor the server in between, need be there any more.
func (p *pass) abandoned(ctx context.Context) (ended bool, err error) {
	by := p.lease.Spec.AcquireBy
	if by == nil {
		return false, nil
	}
	if left := by.Sub(p.at); left > 0 {
		p.lookAgain(left)
		return false, nil
	}
	p.happened("NotAcquired", nil, "the lease was not acquired by %s, and is released", by.UTC().Format(time.RFC3339))
	return true, p.end(ctx)
}

// end deletes the lease, but not one that was renewed in this moment. What it
// consists of goes with it.
func (p *pass) end(ctx context.Context) error {
	err := p.Delete(ctx, p.lease, client.Preconditions{UID: &p.lease.UID, ResourceVersion: &p.lease.ResourceVersion},
		client.PropagationPolicy("Foreground")) // in the background the finalizer that orphans would win
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	p.announce()
	return nil
}

// renewedAt is when the lease was last renewed, by somebody or by itself. A time
// that lies in the future does not count before it comes: otherwise it would be a
// way around the longest duration.
func (p *pass) renewedAt() *metav1.Time {
	renewed := p.lease.Status.RenewedAt
	asked := p.lease.Spec.RenewTime
	switch {
	case asked == nil || asked.Before(&p.lease.CreationTimestamp): // which renews nothing, and may be a time that JSON cannot tell
	case asked.After(p.at):
		p.lookAgain(asked.Sub(p.at))
	case renewed == nil || renewed.Before(asked):
		return asked
	}
	return renewed
}

// expiresAt is when the lease ends, nil where it has no end. A lease that had
// longer, because its duration or the administrator's maximum was longer, has its
// new duration from now on: nothing ends without notice.
func (p *pass) expiresAt(duration time.Duration) *metav1.Time {
	if duration == 0 {
		return nil
	}
	since := p.lease.CreationTimestamp.Time
	if p.status.RenewedAt != nil && p.status.RenewedAt.After(since) {
		since = p.status.RenewedAt.Time
	}
	end := since.Add(duration)
	promised := p.lease.Status.ExpiresAt
	fromNow := p.at.Add(duration)
	switch {
	case promised == nil && p.wasRefused(): // and has nothing until now
		end = fromNow
	case promised == nil && p.lease.Status.Granted != nil: // it had no end
		end = fromNow
	case promised != nil && end.Before(promised.Time):
		end = later(end, earlier(promised.Time, fromNow))
	}
	at := metav1.NewTime(end.Truncate(time.Second))
	return &at
}

// wasRefused says whether the lease was refused when it was looked at last.
func (p *pass) wasRefused() bool {
	return p.lease.Status.Granted == nil && meta.IsStatusConditionFalse(p.lease.Status.Conditions, v1alpha1.ConditionGranted)
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

// autoRenew looks, near the end of a lease, whether requests came, and renews it
// where they did. Where none came, or nobody knows, it says so before the end.
func (p *pass) autoRenew(ctx context.Context, duration, interval time.Duration) error {
	const condition = v1alpha1.ConditionAutoRenew
	notice := min(interval, duration/2)
	left := p.status.ExpiresAt.Sub(p.at)
	if left > notice {
		meta.RemoveStatusCondition(&p.status.Conditions, condition)
		p.lookAgain(left - notice)
		return nil
	}
	end := p.status.ExpiresAt.UTC().Format(time.RFC3339)
	switch served, err := p.requests.served(ctx, p.lease.Namespace, p.selector()); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		p.set(condition, unknown, "NoMetrics", fmt.Sprintf("the lease ends at %s unless its requests can be counted: %v", end, err))
	case !served:
		p.set(condition, no, "Idle", fmt.Sprintf("the lease ends at %s unless requests come: there were none within %s", end, interval))
	default:
		now := metav1.NewTime(p.at.Truncate(time.Second))
		p.status.RenewedAt = &now
		p.status.ExpiresAt = p.expiresAt(duration)
		p.set(condition, yes, "Renewed", fmt.Sprintf("requests came within %s before %s", interval, now.UTC().Format(time.RFC3339)))
		p.tell(condition)
		p.lookAgain(p.status.ExpiresAt.Sub(p.at) - notice)
		return nil
	}
	p.tell(condition)
	p.lookAgain(min(notice/10, time.Minute))
	return nil
}

// selector selects the pods of the lease.
func (p *pass) selector() map[string]string {
	if p.lease.Spec.Target != nil {
		return p.lease.Spec.Target.Selector
	}
	return map[string]string{managedByLabel: managedBy, leaseLabel: p.lease.Name}
}
