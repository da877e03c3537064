package policy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

const scheduleField = "leases.x.autoscaling.replicas.schedule"

func TestGrantSchedule(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		replicas    string
		granted     string // minimum-maximum of each entry
		adjustments []string
		refused     string
	}{
		"no entry":              {replicas: `{schedule: []}`},
		"within the limits":     {replicas: `{schedule: [{cron: "@daily", minimum: 2, maximum: 8}]}`, granted: "2-8"},
		"defaults of the lease": {replicas: `{minimum: 2, maximum: 7, schedule: [{cron: "@daily"}, {cron: "@weekly", maximum: 3}, {cron: "@weekly", minimum: 1}]}`, granted: "2-7 2-3 1-7"},
		"defaults":              {replicas: `{schedule: [{cron: "@daily"}]}`, granted: "1-5"},
		"clamped": {
			replicas: `{schedule: [{cron: "@daily", minimum: 0, maximum: 50}, {cron: "@weekly", minimum: 3}]}`, granted: "1-10 2-5",
			adjustments: []string{
				scheduleField + "[0].minimum: asked 0, granted 1 (server.autoscaling.replicas.limits.minimum.lowerBound)",
				scheduleField + "[0].maximum: asked 50, granted 10 (server.autoscaling.replicas.limits.maximum)",
				scheduleField + "[1].minimum: asked 3, granted 2 (server.autoscaling.replicas.limits.minimum.upperBound)",
			},
		},
		"what is granted to the lease is the default": {
			replicas: `{maximum: 50, schedule: [{cron: "@daily"}]}`, granted: "1-10",
			adjustments: []string{"leases.x.autoscaling.replicas.maximum: asked 50, granted 10 (server.autoscaling.replicas.limits.maximum)"},
		},
		"a default follows the other number": {
			replicas: `{minimum: 2, maximum: 2, schedule: [{cron: "@daily", maximum: 1}]}`, granted: "1-1",
			adjustments: []string{scheduleField + "[0].minimum: default 2, granted 1 (" + scheduleField + "[0].maximum)"},
		},
		"contradictions": {
			replicas: `{schedule: [{cron: "@daily", minimum: 3, maximum: 2}, {cron: "@weekly"}, {cron: "@daily", minimum: 9, maximum: 8}]}`,
			refused: scheduleField + "[0].minimum: Invalid value: 3: must not exceed maximum (2)\n" +
				scheduleField + "[2].minimum: Invalid value: 9: must not exceed maximum (8)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := policy.New(config(t, ""))
			require.NoError(t, err)
			grant, err := p.Grant(path, request(t, "{enable: true, replicas: "+test.replicas+"}"), pod)
			if test.refused != "" {
				require.EqualError(t, err, test.refused)
				return
			}
			require.NoError(t, err)
			granted := ""
			for i, entry := range grant.Schedule {
				if i > 0 {
					granted += " "
				}
				granted += fmt.Sprint(entry.MinReplicas, "-", entry.MaxReplicas)
				require.Equal(t, "Etc/UTC", entry.TimeZone)
			}
			require.Equal(t, test.granted, granted)
			var adjustments []string
			for _, adjustment := range grant.Adjustments {
				adjustments = append(adjustments, adjustment.String())
			}
			require.Equal(t, test.adjustments, adjustments)
		})
	}
}

// TestScheduleIgnored: a schedule of a lease that is not autoscaled is a warning.
func TestScheduleIgnored(t *testing.T) {
	t.Parallel()
	p, err := policy.New(config(t, ""))
	require.NoError(t, err)
	grant, err := p.Grant(path, request(t, `{replicas: {schedule: [{cron: "@daily", minimum: 9, maximum: 1}]}}`), pod)
	require.NoError(t, err)
	require.Equal(t, v1alpha1.Grant{Warnings: []v1alpha1.Warning{{
		Field: scheduleField, Message: "ignored, because the lease is not autoscaled: set autoscaling.enable to true",
	}}}, grant)
}

func TestCheckScheduleServer(t *testing.T) {
	t.Parallel()
	with := request(t, `{replicas: {schedule: [{cron: "@daily"}]}}`)
	require.Empty(t, policy.CheckScheduleServer(path, with, policy.SourceAdapter, true))
	require.Empty(t, policy.CheckScheduleServer(path, v1alpha1.Autoscaling{}, policy.SourceKEDA, false))
	require.EqualError(t, policy.CheckScheduleServer(path, with, "", false),
		scheduleField+": Forbidden: needs server.enabled: true, because tms-server changes the replicas at these times")
	require.EqualError(t, policy.CheckScheduleServer(path, with, policy.SourceKEDA, true),
		scheduleField+": Forbidden: needs server.autoscaling.source: adapter; with keda, only a TritonLease can have a schedule")
}

// TestScheduleProperties: each granted entry is within the limits, is granted unchanged if it
// is asked for again, and counts for the highest replicas.
func TestScheduleProperties(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 7))
	c := config(t, `{replicas: {default: {minimum: 2, maximum: 6}, limits: {maximum: 12, minimum: {lowerBound: 2, upperBound: 5}}}}`)
	p, err := policy.New(c)
	require.NoError(t, err)
	number := func() *int64 {
		if random.IntN(3) == 0 {
			return nil
		}
		return new(random.Int64N(16))
	}
	granted := 0
	for range 2000 {
		asked := v1alpha1.Autoscaling{Enable: true, Replicas: v1alpha1.ReplicaRange{Minimum: number(), Maximum: number()}}
		for range 1 + random.IntN(3) {
			asked.Replicas.Schedule = append(asked.Replicas.Schedule, v1alpha1.ScheduledRange{Cron: "@daily", Minimum: number(), Maximum: number()})
		}
		grant, err := p.Grant(path, asked, pod)
		if err != nil {
			continue
		}
		granted++
		again := v1alpha1.Autoscaling{Enable: true, Replicas: v1alpha1.ReplicaRange{Minimum: &grant.MinReplicas, Maximum: &grant.MaxReplicas}}
		lowest, highest := grant.HighestReplicas()
		for i, entry := range grant.Schedule {
			inForce := grant
			inForce.SetInForce(i)
			holds(t, c, inForce)
			require.LessOrEqual(t, entry.MinReplicas, lowest)
			require.LessOrEqual(t, entry.MaxReplicas, highest)
			again.Replicas.Schedule = append(again.Replicas.Schedule, v1alpha1.ScheduledRange{
				Cron: entry.Cron, TimeZone: entry.TimeZone, Minimum: new(entry.MinReplicas), Maximum: new(entry.MaxReplicas),
			})
		}
		second, err := p.Grant(path, again, pod)
		require.NoError(t, err)
		require.Empty(t, second.Adjustments)
		require.Equal(t, grant.Schedule, second.Schedule)
	}
	require.Greater(t, granted, 300)
}
