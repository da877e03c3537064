package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/triton-leases/tms/api/keda/v1alpha1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// byKEDA is scales with KEDA as the source.
const byKEDA = `server: {autoscaling: {enable: true, source: keda, prometheus: {monitors: perLease, address: http://prometheus}, metrics: {queueTime: {enabled: true, allowed: true}}}}`

var (
	withKEDA    = []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "ScaledObject"}
	withBoth    = []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler", "ScaledObject"}
	withAdapter = []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}
)

func (e *environment) scaledObjectOf(lease string) *unstructured.Unstructured {
	e.t.Helper()
	object := new(unstructured.Unstructured)
	object.SetGroupVersionKind(kedav1alpha1.GroupVersion.WithKind(scaledObjectKind))
	return read(e, object, "tms-"+lease)
}

// keda does what KEDA does with the ScaledObject of a lease: it makes the autoscaler, or takes
// it over.
func (e *environment) keda(lease string) {
	e.t.Helper()
	object := e.scaledObjectOf(lease)
	maximum, _, err := unstructured.NestedInt64(object.Object, "spec", "maxReplicaCount")
	require.NoError(e.t, err)
	made := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{
		Name: object.GetName(), Namespace: object.GetNamespace(), Labels: object.GetLabels(), Annotations: object.GetAnnotations(),
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(object, object.GroupVersionKind())},
	}}
	made.Spec.MaxReplicas = int32(maximum)
	made.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionTrue}}
	before := new(autoscalingv2.HorizontalPodAutoscaler)
	if e.cluster.Get(e.t.Context(), client.ObjectKeyFromObject(made), before) == nil {
		made.UID, made.ResourceVersion = before.UID, before.ResourceVersion
		e.update(made)
		return
	}
	require.NoError(e.t, e.cluster.Create(e.t.Context(), made))
}

// setKEDACondition sets a condition of a ScaledObject, as KEDA does.
func (e *environment) setKEDACondition(lease, name, status, message string) {
	e.t.Helper()
	object := e.scaledObjectOf(lease)
	object.Object["status"] = map[string]any{"lastActiveTime": "2026-11-23T12:00:00Z", "conditions": []any{
		map[string]any{"type": name, "status": status, "message": message}, map[string]any{"type": "Active", "status": "True"},
	}}
	e.update(object)
}

// TestKEDA: a lease has a ScaledObject, and its status shows the autoscaler that KEDA makes.
func TestKEDA(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byKEDA, newLease(t, "a", scaled))
	e.reconcile("a")
	require.Equal(t, withKEDA, e.objects("tms-a"))
	require.Equal(t, "Unknown Starting: the HorizontalPodAutoscaler does not report a status yet", e.condition("a", v1alpha1.ConditionAutoscaling))

	e.keda("a")
	e.reconcile("a")
	require.Equal(t, withBoth, e.objects("tms-a"))
	require.Equal(t, "True Scaling: between 1 and 4 replicas", e.condition("a", v1alpha1.ConditionAutoscaling))
	e.written()
	e.reconcile("a")
	require.Empty(t, e.written())

	e.setKEDACondition("a", "Fallback", "True", "falls back")
	e.reconcile("a")
	require.Equal(t, "False Fallback: KEDA cannot read a metric, so the lease keeps its replicas: see the events of ScaledObject tms-a", e.condition("a", v1alpha1.ConditionAutoscaling))
	e.setKEDACondition("a", "Ready", "False", "the TriggerAuthentication does not exist")
	e.reconcile("a")
	require.Equal(t, "False KEDAFailed: ScaledObject tms-a: the TriggerAuthentication does not exist", e.condition("a", v1alpha1.ConditionAutoscaling))
	require.Equal(t, []string{"update status TritonLease a", "update status TritonLease a"}, e.written())

	// The lease ends autoscaling: the ScaledObject goes first, and the replicas stay.
	e.setReplicas("a", 3)
	e.editSpec("a", fixed)
	e.reconcile("a")
	require.Equal(t, "delete Background ScaledObject tms-a", e.written()[0])
	require.EqualValues(t, 3, e.replicas("a"))
}

// TestKEDATakesOver: after a change of the source, the autoscaler stays until KEDA takes it
// over, and back again until the garbage collector deletes it. The replicas stay.
func TestKEDATakesOver(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	e.reconcile("a")
	e.setReplicas("a", 3)
	e.reconcile("a")
	before := e.autoscalerOf("a").UID

	e.configuration = configuration(t, byKEDA)
	for range 2 {
		e.reconcile("a")
		require.Equal(t, withBoth, e.objects("tms-a"))
		require.EqualValues(t, 3, e.replicas("a"))
	}
	require.True(t, metav1.IsControlledBy(e.autoscalerOf("a"), e.lease("a")), "KEDA does not run yet")
	e.keda("a")
	require.Equal(t, before, e.autoscalerOf("a").UID)
	e.reconcile("a")
	e.reconcile("a")
	e.written()
	e.reconcile("a")
	require.Empty(t, e.written())
	require.Equal(t, "True Scaling: between 1 and 4 replicas", e.condition("a", v1alpha1.ConditionAutoscaling))

	e.configuration = configuration(t, scales)
	made := e.autoscalerOf("a")
	for range 2 {
		require.NotZero(t, e.reconcile("a").RequeueAfter)
		require.Equal(t, withAdapter, e.objects("tms-a"))
		require.Equal(t, made, e.autoscalerOf("a"), "it is deleted with the ScaledObject")
		require.NotContains(t, e.condition("a", v1alpha1.ConditionReady), "Conflict")
		require.EqualValues(t, 3, e.replicas("a"))
	}
	require.NoError(t, e.cluster.Delete(t.Context(), made))
	e.reconcile("a")
	require.True(t, metav1.IsControlledBy(e.autoscalerOf("a"), e.lease("a")))
	require.EqualValues(t, 3, e.replicas("a"))
}

// TestKEDAIsMissing: without KEDA in the cluster, a lease keeps the autoscaler and the
// replicas that it has.
func TestKEDAIsMissing(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled), newLease(t, "b", fixed))
	e.kindOf(scaledObjectKind).watched.Store(false)
	e.reconcile("a")
	e.reconcile("b")
	e.setReplicas("a", 3)
	e.setReplicas("b", 2)

	e.configuration = configuration(t, byKEDA)
	e.editSpec("b", scaled)
	for range 2 {
		e.reconcile("a")
		e.reconcile("b")
		require.Equal(t, withAdapter, e.objects("tms-a"))
		require.EqualValues(t, 3, e.replicas("a"))
		require.EqualValues(t, 2, e.replicas("b"))
	}
	require.Equal(t, "False KindsMissing: the API server does not serve ScaledObject: install KEDA, then the lease scales without further action", e.condition("b", v1alpha1.ConditionAutoscaling))

	e.kindOf(scaledObjectKind).watched.Store(true)
	e.reconcile("b")
	require.Equal(t, withKEDA, e.objects("tms-b"))
	require.EqualValues(t, 2, e.replicas("b"))
}

// TestKEDALeftover: a lease waits until the autoscaler of a deleted lease with its name is
// deleted. That is no conflict.
func TestKEDALeftover(t *testing.T) {
	t.Parallel()
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: leftoverMeta()}
	e := newEnvironment(t, byKEDA, autoscaler, newLease(t, "a", scaled))
	e.reconcile("a")
	require.Contains(t, e.condition("a", v1alpha1.ConditionReady), "False Starting: HorizontalPodAutoscaler tms-a of an earlier lease")

	require.NoError(t, e.cluster.Delete(t.Context(), autoscaler))
	e.reconcile("a")
	require.Equal(t, withKEDA, e.objects("tms-a"))
}

// TestKEDALeavesOthers: KEDA must not take over an autoscaler that is not the lease's.
func TestKEDALeavesOthers(t *testing.T) {
	t.Parallel()
	mine := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "tms-a", Namespace: "ns"}}
	e := newEnvironment(t, byKEDA, newLease(t, "a", scaled), mine)
	e.reconcile("a")
	require.Equal(t, []string{"HorizontalPodAutoscaler"}, e.objects("tms-a"))
	require.Contains(t, e.condition("a", v1alpha1.ConditionReady), "False Conflict: HorizontalPodAutoscaler tms-a exists")
	require.NoError(t, e.cluster.Delete(t.Context(), mine))
	e.reconcile("a")
	require.Equal(t, withKEDA, e.objects("tms-a"))
}

// TestKEDABounds: lowered bounds hold for a lease that is refused, and a lease cannot be
// paused to escape them.
func TestKEDABounds(t *testing.T) {
	t.Parallel()
	const bounded = `server: {autoscaling: {enable: true, source: keda, prometheus: {address: http://prometheus}, replicas: {limits: {maximum: 3}, default: {maximum: 3}}, metrics: {queueTime: {enabled: true, allowed: true}}}}`
	e := newEnvironment(t, byKEDA, newLease(t, "a", scaled))
	e.reconcile("a")
	e.keda("a")
	e.editSpec("a", contradiction)
	e.reconcile("a")
	e.written()
	e.configuration = configuration(t, bounded)
	e.reconcile("a")
	require.Equal(t, []string{"patch ScaledObject tms-a", "update status TritonLease a"}, e.written())
	spec := e.scaledObjectOf("a").Object["spec"].(map[string]any)
	require.EqualValues(t, 3, spec["maxReplicaCount"])
	require.EqualValues(t, 1, spec["minReplicaCount"])
	require.NotEmpty(t, spec["triggers"])
	e.reconcile("a")
	require.Empty(t, e.written())

	e.editSpec("a", scaled)
	e.reconcile("a")
	e.reconcile("a")
	e.recorded()
	e.written()
	paused := e.scaledObjectOf("a")
	annotations := paused.GetAnnotations()
	annotations["autoscaling.keda.sh/paused-replicas"] = "50"
	annotations["example.com/note"] = "stays"
	paused.SetAnnotations(annotations)
	e.update(paused)
	e.reconcile("a")
	require.NotContains(t, e.scaledObjectOf("a").GetAnnotations(), "autoscaling.keda.sh/paused-replicas")
	require.Contains(t, e.scaledObjectOf("a").GetAnnotations(), "example.com/note")
	require.Equal(t, []string{"Warning Corrected: ScaledObject tms-a was changed by another client and is corrected"}, e.recorded())
	e.reconcile("a")
	e.written()
	e.reconcile("a")
	require.Empty(t, e.written())
}

// TestKEDAEvents: a change of an autoscaler that KEDA made reconciles its lease, and what KEDA
// changes each time it reads the metrics reconciles none.
func TestKEDAEvents(t *testing.T) {
	t.Parallel()
	owner := func(apiVersion, kind string) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{
			Name: "tms-a", Namespace: "ns", Labels: map[string]string{v1alpha1.LeaseLabel: "a"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "tms-a", Controller: new(true)}},
		}}
	}
	require.Equal(t, []reconcile.Request{{NamespacedName: key("a")}}, leaseOfKEDA(t.Context(), owner("keda.sh/v1alpha1", "ScaledObject")))
	require.Empty(t, leaseOfKEDA(t.Context(), owner("example.com/v1", "ScaledObject")))
	require.Empty(t, leaseOfKEDA(t.Context(), owner("tms.triton-leases.dev/v1alpha1", "TritonLease")))
	require.Empty(t, leaseOfKEDA(t.Context(), new(autoscalingv2.HorizontalPodAutoscaler)))

	look := func(active, fallback string) *unstructured.Unstructured {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "keda.sh/v1alpha1", "kind": scaledObjectKind, "metadata": map[string]any{"name": "tms-a", "annotations": map[string]any{appliedAnnotation: "1"}},
			"status": map[string]any{"lastActiveTime": active, "conditions": []any{
				map[string]any{"type": "Active", "status": active}, map[string]any{"type": "Fallback", "status": fallback},
			}},
		}}
		_, err := trim(object)
		require.NoError(t, err)
		return object
	}
	require.False(t, contentChanged(event.UpdateEvent{ObjectOld: look("True", "False"), ObjectNew: look("False", "False")}))
	fallsBack := event.UpdateEvent{ObjectOld: look("True", "False"), ObjectNew: look("True", "True")}
	require.True(t, contentChanged(fallsBack))
	require.True(t, isUrgent(fallsBack))
}
