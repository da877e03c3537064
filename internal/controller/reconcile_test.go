package controller

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestNewLease: a new lease is claimed before its objects are applied, in the order of
// render.Kinds. Once the status reports them, nothing is written any more.
func TestNewLease(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	result := e.reconcile("a")
	require.Equal(t, 24*time.Hour, result.RequeueAfter, "the lease expires then")
	require.Equal(t, []string{
		"update status TritonLease a",
		"create Deployment tms-a", "create Service tms-a", "create Service tms-a-headless", "create PodMonitor tms-a", "create PrometheusRule tms-a", "apply HorizontalPodAutoscaler tms-a",
	}, e.written())
	require.Equal(t, []string{"Normal Granted: the lease has what it asks for"}, e.recorded())

	lease := e.lease("a")
	status := lease.Status
	require.Equal(t, "system/tms", status.Installation)
	require.EqualValues(t, 1, status.ObservedGeneration)
	require.Equal(t, "resnet50", status.Models)
	require.Equal(t, "tms-a.ns.svc", status.Address)
	require.Equal(t, epoch.Add(24*time.Hour), status.ExpiresAt.UTC())
	require.EqualValues(t, 1, status.Granted.MinReplicas)
	require.EqualValues(t, 4, status.Granted.MaxReplicas)
	require.Equal(t, "True Granted: the lease has what it asks for", e.condition("a", v1alpha1.ConditionGranted))
	require.Equal(t, "False Starting: 0 of 1 replicas serve", e.condition("a", v1alpha1.ConditionReady))
	for _, k := range e.kinds {
		if slices.Contains(notOfLease, k.Kind) {
			continue
		}
		object := read(e, k.newObject(), "tms-a")
		require.Equal(t, []metav1.OwnerReference{*metav1.NewControllerRef(lease, v1alpha1.GroupVersion.WithKind("TritonLease"))}, object.GetOwnerReferences(), k.Kind)
		require.NotEmpty(t, object.GetAnnotations()[appliedAnnotation], k.Kind)
		require.Equal(t, managedBy, object.GetLabels()[managedByLabel], k.Kind)
	}
	require.EqualValues(t, 4, e.autoscalerOf("a").Spec.MaxReplicas)

	for range 2 {
		e.reconcile("a")
		require.Empty(t, e.written())
	}
	require.Empty(t, e.recorded())
}

// TestStatusFollowsObjects: the status reports what runs, and how the grant differs
// from the request.
func TestStatusFollowsObjects(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: one, uri: /m}, {name: two, uri: /m}], autoscaling: {enable: true, replicas: {maximum: 50}}}`))
	e.reconcile("a")
	const adjusted = "spec.autoscaling.replicas.maximum: asked 50, granted 10 (server.autoscaling.replicas.limits.maximum)"
	require.Equal(t, "True Adjusted: "+adjusted, e.condition("a", v1alpha1.ConditionGranted))
	require.Equal(t, []string{"Warning Adjusted: " + adjusted}, e.recorded())
	require.Equal(t, "one,two", e.lease("a").Status.Models)

	deployment := e.deploymentOf("a")
	deployment.Spec.Replicas = new(int32(2))
	e.update(deployment)
	deployment.Status = appsv1.DeploymentStatus{Replicas: 2, AvailableReplicas: 1}
	require.NoError(t, e.cluster.Status().Update(t.Context(), deployment))
	e.reconcile("a")
	require.Equal(t, "True Serving: 1 of 2 replicas serve", e.condition("a", v1alpha1.ConditionReady))
	require.EqualValues(t, 1, e.lease("a").Status.ReadyReplicas)
	require.Empty(t, e.recorded())

	// A warning is no adjustment.
	e.configuration = configuration(t, "server: {autoscaling: {enable: false}}")
	e.reconcile("a")
	const off = "spec.autoscaling.enable: autoscaling is switched off by server.autoscaling.enable"
	require.Equal(t, "True Granted: "+off, e.condition("a", v1alpha1.ConditionGranted))
	require.Equal(t, []v1alpha1.Warning{{Field: "spec.autoscaling.enable", Message: "autoscaling is switched off by server.autoscaling.enable"}}, e.lease("a").Status.Granted.Warnings)
	require.Equal(t, "False SwitchedOff: autoscaling is switched off by server.autoscaling.enable", e.condition("a", v1alpha1.ConditionAutoscaling))
}

// TestOtherInstallation: a lease of another installation is ignored, also while it is
// being deleted.
func TestOtherInstallation(t *testing.T) {
	t.Parallel()
	for _, deleted := range []bool{false, true} {
		lease := newLease(t, "a", fixed)
		lease.Status.Installation = "other/tms"
		if deleted {
			lease.DeletionTimestamp, lease.Finalizers = new(metav1.NewTime(epoch)), []string{"example.com/keep"}
		}
		e := newEnvironment(t, scales, lease, owned(lease, &corev1.Service{}, "tms-a"))
		require.Zero(t, e.reconcile("a"))
		require.Empty(t, e.written())
	}
}

// owned returns an object that a lease owns.
func owned[T client.Object](lease *v1alpha1.TritonLease, object T, name string) T {
	object.SetName(name)
	object.SetNamespace(lease.Namespace)
	object.SetLabels(map[string]string{managedByLabel: managedBy, v1alpha1.LeaseLabel: lease.Name})
	object.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(lease, v1alpha1.GroupVersion.WithKind("TritonLease"))})
	return object
}

// TestMissingLease: a lease that no longer exists needs nothing.
func TestMissingLease(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales)
	require.Zero(t, e.reconcile("a"))
	require.Empty(t, e.written())
}

// TestMissingCRDs: without the Prometheus Operator a lease gets the other objects. It
// gets the rest when its kinds are watched.
func TestMissingCRDs(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	serve := func(served bool) {
		for _, k := range e.kinds {
			if k.Group == "monitoring.coreos.com" {
				k.watched.Store(served)
			}
		}
	}
	serve(false)
	e.reconcile("a")
	require.Equal(t, []string{"Deployment", "Service", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
	require.Contains(t, e.condition("a", v1alpha1.ConditionAutoscaling), "False KindsMissing: the API server does not serve PodMonitor and PrometheusRule")
	serve(true)
	e.reconcile("a")
	require.Equal(t, []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
	require.Contains(t, e.condition("a", v1alpha1.ConditionAutoscaling), "Unknown Starting")
}

// TestUnstructured: an object that does not fit our Go types does not keep the
// controller from reading its kind.
func TestUnstructured(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	e.reconcile("a")
	monitor := new(unstructured.Unstructured)
	monitor.SetAPIVersion("monitoring.coreos.com/v1")
	monitor.SetKind("PodMonitor")
	read(e, monitor, "tms-a")
	require.NoError(t, unstructured.SetNestedField(monitor.Object, "a text", "spec", "podMetricsEndpoints"))
	e.update(monitor)
	e.written()
	e.reconcile("a")
	require.Contains(t, e.written(), "apply PodMonitor tms-a")
}
