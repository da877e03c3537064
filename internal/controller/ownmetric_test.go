package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOwnMetric checks that the rules of the administrator's metrics are an object of their
// own, which comes and goes with the metric.
func TestOwnMetric(t *testing.T) {
	t.Parallel()
	const own = `
server:
  autoscaling:
    enable: true
    prometheus: {monitors: perLease}
    metrics:
      queueTime: {enabled: true}
      kvCache:
        query: max by (namespace, pod) (kv_cache{$pods})
        unit: percent
        allowed: true
        threshold: {default: 80, minimum: 50}
`
	e := newEnvironment(t, own, newLease(t, "a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true, metrics: {kvCache: {enabled: true}}}}`))
	e.reconcile("a")
	writes := e.written()
	require.Contains(t, writes, "create PrometheusRule tms-a")
	require.Contains(t, writes, "create PrometheusRule tms-a.metrics")
	require.Equal(t, "kvCache", string(e.lease("a").Status.Granted.Metrics[1].Metric))
	e.reconcile("a")
	e.written()
	e.reconcile("a")
	require.Empty(t, e.written())

	e.recorded()
	e.editSpec("a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true}}`)
	e.reconcile("a")
	writes = e.written()
	require.Contains(t, writes, "delete Background PrometheusRule tms-a.metrics")
	require.NotContains(t, writes, "delete Background PrometheusRule tms-a")
	require.Equal(t, []string{"Normal Pruned: PrometheusRule tms-a.metrics is deleted: the lease no longer has one"}, e.recorded())
}
