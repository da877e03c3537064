package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// TestPredicates: updates that no reconciliation needs are dropped.
func TestPredicates(t *testing.T) {
	t.Parallel()
	before := newLease(t, "a", fixed)
	before.Status.Installation = "system/tms"
	after := before.DeepCopy()
	update := event.UpdateEvent{ObjectOld: before, ObjectNew: after}
	after.ResourceVersion, after.Status.Replicas = "2", 3
	require.False(t, specChanged(update), "the controller's own change of the status")
	after.Status.Installation = "other/tms"
	require.False(t, specChanged(update), "another installation claimed the lease")
	after.Status.Installation = ""
	require.True(t, specChanged(update), "the lease was handed over")
	before.Status.Installation = ""
	require.False(t, specChanged(update))
	after.Generation = 2
	require.True(t, specChanged(update))

	old, changed := newAutoscaler(), newAutoscaler()
	changed.ResourceVersion = "2"
	update = event.UpdateEvent{ObjectOld: old, ObjectNew: changed}
	require.False(t, contentChanged(update))
	require.Equal(t, "2", changed.ResourceVersion, "the cache shares the object")
	changed.Status.DesiredReplicas = 2
	require.True(t, contentChanged(update))
}

func newAutoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{Status: autoscalingv2.HorizontalPodAutoscalerStatus{
		CurrentMetrics: []autoscalingv2.MetricStatus{{Type: autoscalingv2.ResourceMetricSourceType}},
		Conditions:     []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScalingActive}},
	}}
}
