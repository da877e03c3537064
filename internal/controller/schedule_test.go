package controller

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// scheduled is a spec whose replicas follow the office hours of a time zone.
func scheduled(zone string) string {
	return fmt.Sprintf(`{models: [{name: m, uri: /m}], triton: {resources: {limits: {nvidia.com/gpu: 1}}}, autoscaling: {enable: true, replicas: {maximum: 3, schedule: [
		{cron: 30 2 * * *, timeZone: %[1]s, minimum: 2, maximum: 50}, {cron: 0 20 * * *, timeZone: %[1]s}]}}}`, zone)
}

// bounds returns the bounds of the autoscaler of a lease, and those of its status.
func (e *environment) bounds(lease string) string {
	spec, granted := e.autoscalerOf(lease).Spec, e.lease(lease).Status.Granted
	require.Equal(e.t, granted.MinReplicas, int64(*spec.MinReplicas))
	require.Equal(e.t, granted.MaxReplicas, int64(spec.MaxReplicas))
	return fmt.Sprint(granted.MinReplicas, "-", granted.MaxReplicas)
}

// TestSchedule follows leases over days on which the clock is changed: each reconciliation is
// when the one before asked for it.
func TestSchedule(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone, from string
		wanted     []string
	}{
		{"Europe/Berlin", "2026-03-28T12:00:00Z", []string{ // 2:30 does not exist on the 29th
			"2026-03-28T12:00:00Z 2-10", "2026-03-28T19:00:00Z 1-3", "2026-03-29T01:00:00Z 2-10", "2026-03-29T18:00:00Z 1-3", "2026-03-30T00:30:00Z 2-10",
		}},
		{"Europe/Berlin", "2026-10-24T12:00:00Z", []string{ // 2:30 comes twice on the 25th
			"2026-10-24T12:00:00Z 2-10", "2026-10-24T18:00:00Z 1-3", "2026-10-25T00:30:00Z 2-10", "2026-10-25T19:00:00Z 1-3", "2026-10-26T01:30:00Z 2-10",
		}},
		{"America/New_York", "2026-03-07T18:00:00Z", []string{
			"2026-03-07T18:00:00Z 2-10", "2026-03-08T01:00:00Z 1-3", "2026-03-08T07:00:00Z 2-10", "2026-03-09T00:00:00Z 1-3",
		}},
	} {
		e := newEnvironment(t, scales, newLease(t, "a", scheduled(test.zone)))
		var err error
		e.clock, err = time.Parse(time.RFC3339, test.from)
		require.NoError(t, err)
		e.edit("a", func(lease *v1alpha1.TritonLease) {
			duration := v1alpha1.Duration("0s")
			lease.Spec.Duration = &duration
		})
		for i, wanted := range test.wanted {
			e.recorded()
			after := e.reconcile("a").RequeueAfter
			status := e.lease("a").Status
			require.Equal(t, wanted, e.clock.UTC().Format(time.RFC3339)+" "+e.bounds("a"), test.zone)
			require.Equal(t, v1alpha1.ScheduledReplicas{Cron: "30 2 * * *", TimeZone: test.zone, MinReplicas: 2, MaxReplicas: 10}, status.Granted.Schedule[0])
			require.Equal(t, int64(i%2), status.Schedule.Active)
			require.Equal(t, e.clock.Add(after), status.Schedule.NextTime.Time.UTC(), "it is reconciled at the next time")
			if i > 0 {
				require.Equal(t, e.clock, status.Schedule.Since.Time.UTC())
			}
			event := fmt.Sprintf("Normal Scheduled: 2 to 10 replicas by spec.autoscaling.replicas.schedule[0], cron 30 2 * * * in %s", test.zone)
			if i%2 == 1 {
				event = fmt.Sprintf("Normal Scheduled: 1 to 3 replicas by spec.autoscaling.replicas.schedule[1], cron 0 20 * * * in %s", test.zone)
			}
			require.Contains(t, e.recorded(), event)

			e.written()
			e.clock = e.clock.Add(after - time.Second)
			require.Equal(t, time.Second, e.reconcile("a").RequeueAfter)
			require.Empty(t, e.written(), "nothing changes in between")
			require.Empty(t, e.recorded())
			e.clock = e.clock.Add(time.Second)
		}
	}
}

// TestScheduleWrites: an entry changes the autoscaler and no other object.
func TestScheduleWrites(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scheduled("UTC")))
	e.reconcile("a")
	e.reconcile("a")
	require.Equal(t, "2-10", e.bounds("a"))
	e.written()
	e.clock = epoch.Add(8 * time.Hour)
	e.reconcile("a")
	require.Equal(t, "1-3", e.bounds("a"))
	require.Equal(t, []string{"apply HorizontalPodAutoscaler tms-a", "update status TritonLease a"}, e.written())

	e.editSpec("a", scaled)
	e.reconcile("a")
	require.Equal(t, "1-4", e.bounds("a"))
	require.Nil(t, e.lease("a").Status.Schedule)
	require.Nil(t, e.lease("a").Status.Granted.Schedule)
}

// TestScheduleRefused: a lease with a refused change keeps its schedule, within lowered bounds.
func TestScheduleRefused(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scheduled("UTC")))
	e.reconcile("a")
	e.editSpec("a", contradiction)
	e.configuration = configuration(t, limited(6))
	e.reconcile("a")
	require.Equal(t, "2-6", e.bounds("a"))
	e.clock = epoch.Add(8 * time.Hour)
	require.Equal(t, 6*time.Hour+30*time.Minute, e.reconcile("a").RequeueAfter)
	require.Equal(t, "1-3", e.bounds("a"))
	require.Equal(t, int64(1), e.lease("a").Status.Schedule.Active)
}

// TestScheduleNeverGranted: a lease that was never granted has no schedule in its status.
func TestScheduleNeverGranted(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(1), newLease(t, "a", scheduled("UTC")))
	e.reconcile("a")
	require.Nil(t, e.lease("a").Status.Granted, "its highest minimum needs 2 GPUs")
	require.Nil(t, e.lease("a").Status.Schedule)

	e = newEnvironment(t, scales, newLease(t, "a", scheduled("Europe/Bonn")))
	e.reconcile("a")
	require.Contains(t, e.condition("a", v1alpha1.ConditionGranted), `False Refused: spec.autoscaling.replicas.schedule[0].timeZone: Invalid value: "Europe/Bonn": must be the name of a time zone`)
}

// TestScheduleBudget: a lease is charged with its highest scheduled maximum at all times, and
// a budget lowers each entry.
func TestScheduleBudget(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(20), newLease(t, "a", scheduled("UTC")))
	e.clock = epoch.Add(8 * time.Hour)
	e.reconcile("a")
	require.Equal(t, "1-3", e.bounds("a"))
	require.Equal(t, int64(10), e.lease("a").Status.Budget.Charged)

	e = newEnvironment(t, budgeted(2), newLease(t, "a", scheduled("UTC")))
	e.reconcile("a")
	require.Equal(t, "2-2", e.bounds("a"))
	require.Equal(t, int64(2), e.lease("a").Status.Budget.Charged)
	require.Equal(t, `True Adjusted: spec.autoscaling.replicas.schedule[0].maximum: asked 50, granted 2 (server.leases.budget.gpus: the budget is 2 GPUs)
spec.autoscaling.replicas.schedule[1].maximum: default 3, granted 2 (server.leases.budget.gpus: the budget is 2 GPUs)`, e.condition("a", v1alpha1.ConditionGranted))
	e.clock = epoch.Add(8 * time.Hour)
	e.reconcile("a")
	require.Equal(t, "1-2", e.bounds("a"))
	require.Equal(t, int64(2), e.lease("a").Status.Budget.Charged)
}
