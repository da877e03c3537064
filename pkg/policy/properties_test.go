package policy_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// FuzzGrant holds the properties of the policy for any valid configuration.
func FuzzGrant(f *testing.F) {
	f.Add(int64(1), int64(5), int64(10), int64(1), int64(2), int64(10000), int64(10000), int64(0), int64(3), int64(50), int64(5), uint8(7))
	f.Add(int64(2), int64(2), int64(2), int64(2), int64(2), int64(1), int64(1), int64(1), int64(0), int64(0), int64(0), uint8(5))
	f.Add(int64(2), int64(5), int64(9), int64(1), int64(3), int64(70), int64(50), int64(90), int64(0), int64(1), int64(200), uint8(2))
	f.Fuzz(func(t *testing.T, defaultMin, defaultMax, limit, lower, upper, standard, lowest, highest, askedMin, askedMax, threshold int64, asks uint8) {
		c := config(t, "")
		c.Replicas.Default = policy.ReplicaDefaults{Minimum: defaultMin, Maximum: defaultMax}
		c.Replicas.Limits = policy.ReplicaLimits{Maximum: limit, Minimum: policy.MinimumLimits{LowerBound: lower, UpperBound: upper}}
		queueTime := c.Metrics[v1alpha1.QueueTime]
		queueTime.Threshold = policy.ThresholdBounds{Default: standard, Minimum: lowest, Maximum: highest}
		c.Metrics[v1alpha1.QueueTime] = queueTime
		p, err := policy.New(c)
		if err != nil || askedMin < 0 || askedMax < 0 || threshold < 0 || highest < 0 {
			return // the schema refuses it, or the configuration is invalid
		}
		r := v1alpha1.Autoscaling{Enable: true}
		if asks&1 != 0 {
			r.Replicas.Minimum = &askedMin
		}
		if asks&2 != 0 {
			r.Replicas.Maximum = &askedMax
		}
		if asks&4 != 0 {
			r.Metrics = thresholdOf(threshold)
		}
		grant, err := p.Grant(path, r, pod)
		if err != nil {
			require.True(t, asks&3 == 3 && askedMin > askedMax, "only crossed numbers are refused: %v", err)
			return
		}
		holds(t, c, grant)
		sameForOwnMetrics(t, c, r, grant)
		idempotent(t, p, grant)
		exact(t, c, r, grant)
		monotone(t, p, r, grant)
	})
}

// sameForOwnMetrics: a metric of the administrator is granted as queueTime is, with the
// same bounds and the same request.
func sameForOwnMetrics(t *testing.T, c policy.Config, r v1alpha1.Autoscaling, grant v1alpha1.Grant) {
	own := c.Metrics[v1alpha1.QueueTime]
	own.Query = "sum by (namespace, pod) (up{$pods})"
	c.Metrics = maps.Clone(c.Metrics)
	c.Metrics["own"] = own
	p, err := policy.New(c)
	require.NoError(t, err)
	r.Metrics = maps.Clone(r.Metrics)
	if asked, ok := r.Metrics[v1alpha1.QueueTime]; ok {
		r.Metrics["own"] = asked
	}
	both, err := p.Grant(path, r, pod)
	require.NoError(t, err)
	wanted, _ := grant.Threshold(v1alpha1.QueueTime)
	threshold, ok := both.Threshold("own")
	require.True(t, ok)
	require.Equal(t, wanted, threshold)
	require.Equal(t, append(grant.Metrics, v1alpha1.MetricThreshold{Metric: "own", Threshold: wanted}), both.Metrics)
}

// thresholdOf returns a request of a threshold for queueTime.
func thresholdOf(threshold int64) map[v1alpha1.MetricName]v1alpha1.MetricRequest {
	return map[v1alpha1.MetricName]v1alpha1.MetricRequest{v1alpha1.QueueTime: {Threshold: &threshold}}
}

func holds(t *testing.T, c policy.Config, grant v1alpha1.Grant) {
	limits := c.Replicas.Limits
	require.LessOrEqual(t, int64(1), grant.MinReplicas)
	require.LessOrEqual(t, grant.MinReplicas, grant.MaxReplicas)
	require.LessOrEqual(t, grant.MaxReplicas, limits.Maximum)
	require.LessOrEqual(t, limits.Minimum.LowerBound, grant.MinReplicas)
	require.LessOrEqual(t, grant.MinReplicas, limits.Minimum.UpperBound)
	threshold, ok := grant.Threshold(v1alpha1.QueueTime)
	require.True(t, ok)
	require.GreaterOrEqual(t, threshold, c.Metrics[v1alpha1.QueueTime].Threshold.Minimum)
	if c.Metrics[v1alpha1.QueueTime].Threshold.Maximum != 0 {
		require.LessOrEqual(t, threshold, c.Metrics[v1alpha1.QueueTime].Threshold.Maximum)
	}
}

// idempotent: granting what was granted changes nothing, and adjusts nothing.
func idempotent(t *testing.T, p *policy.Policy, grant v1alpha1.Grant) {
	threshold, _ := grant.Threshold(v1alpha1.QueueTime)
	again, err := p.Grant(path, v1alpha1.Autoscaling{
		Enable:   true,
		Replicas: v1alpha1.ReplicaRange{Minimum: &grant.MinReplicas, Maximum: &grant.MaxReplicas},
		Metrics:  thresholdOf(threshold),
	}, pod)
	require.NoError(t, err)
	require.Empty(t, again.Adjustments)
	grant.Adjustments = again.Adjustments
	require.Equal(t, grant, again)
}

// exact: a request within every band is granted as asked.
func exact(t *testing.T, c policy.Config, r v1alpha1.Autoscaling, grant v1alpha1.Grant) {
	limits := c.Replicas.Limits
	minimum, maximum := c.Replicas.Default.Minimum, c.Replicas.Default.Maximum
	if r.Replicas.Minimum != nil {
		minimum = *r.Replicas.Minimum
	}
	if r.Replicas.Maximum != nil {
		maximum = *r.Replicas.Maximum
	}
	threshold := c.Metrics[v1alpha1.QueueTime].Threshold
	asked := threshold.Default
	if own := r.Metrics[v1alpha1.QueueTime].Threshold; own != nil {
		asked = *own
	}
	within := policy.Band{Min: limits.Minimum.LowerBound, Max: limits.Minimum.UpperBound}.Contains(minimum) &&
		policy.Band{Min: minimum, Max: limits.Maximum}.Contains(maximum) &&
		policy.Band{Min: threshold.Minimum, Max: threshold.Maximum}.Contains(asked)
	if within {
		granted, _ := grant.Threshold(v1alpha1.QueueTime)
		require.Equal(t, []int64{minimum, maximum, asked}, []int64{grant.MinReplicas, grant.MaxReplicas, granted})
	}
	require.Equal(t, within, len(grant.Adjustments) == 0)
}

// monotone: asking for one more never gives less.
func monotone(t *testing.T, p *policy.Policy, r v1alpha1.Autoscaling, grant v1alpha1.Grant) {
	more := r
	if r.Replicas.Maximum != nil && *r.Replicas.Maximum < 1<<40 {
		n := *r.Replicas.Maximum + 1
		more.Replicas.Maximum = &n
		raised, err := p.Grant(path, more, pod)
		require.NoError(t, err)
		require.GreaterOrEqual(t, raised.MaxReplicas, grant.MaxReplicas)
	}
	more = r
	if r.Replicas.Minimum != nil && *r.Replicas.Minimum < 1<<40 {
		n := *r.Replicas.Minimum + 1
		more.Replicas.Minimum = &n
		if raised, err := p.Grant(path, more, pod); err == nil {
			require.GreaterOrEqual(t, raised.MinReplicas, grant.MinReplicas)
		}
	}
	more = r
	if own := r.Metrics[v1alpha1.QueueTime].Threshold; own != nil && *own < 1<<60 {
		more.Metrics = thresholdOf(*own + 1)
		raised, err := p.Grant(path, more, pod)
		require.NoError(t, err)
		before, _ := grant.Threshold(v1alpha1.QueueTime)
		after, _ := raised.Threshold(v1alpha1.QueueTime)
		require.GreaterOrEqual(t, after, before)
	}
}
