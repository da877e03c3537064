package controller

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/schedule"
)

// activeEntry returns the index of the entry of a granted schedule that is in effect. It
// records the entry in the status, and requeues the lease for the next time. It returns false
// if the lease has no schedule.
func (r *reconciliation) activeEntry(grant v1alpha1.Grant) (entry int, ok bool, err error) {
	r.status.Schedule = nil
	if len(grant.Schedule) == 0 {
		return 0, false, nil
	}
	state, err := schedule.At(grant.Schedule, r.startedAt)
	if err != nil {
		return 0, false, fmt.Errorf("schedule: %w", err) // cannot happen: GrantTritonLease checks it
	}
	r.status.Schedule = &v1alpha1.ScheduleStatus{
		Active: int64(state.Active), Since: metav1.NewTime(state.Since), NextTime: metav1.NewTime(state.Next),
	}
	r.requeueAfter(state.Next.Sub(r.startedAt))
	return state.Active, true, nil
}

// recordSchedule records an event if the entry of the schedule that is in effect changed.
func (r *reconciliation) recordSchedule(grant v1alpha1.Grant) {
	now, before := r.status.Schedule, r.lease.Status.Schedule
	if now == nil || before != nil && before.Active == now.Active {
		return
	}
	r.recordEvent("Scheduled", nil, "%d to %d replicas by spec.autoscaling.replicas.schedule[%d], cron %s in %s",
		grant.MinReplicas, grant.MaxReplicas, now.Active, grant.Schedule[now.Active].Cron, grant.Schedule[now.Active].TimeZone)
}
