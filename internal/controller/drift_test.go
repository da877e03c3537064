package controller

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestDrift: what another client changes is corrected, and what it adds stays.
func TestDrift(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		object client.Object
		change func(client.Object)
		event  string // empty if nothing is written
	}{
		"image":   {new(appsv1.Deployment), func(o client.Object) { podSpec(o).Containers[0].Image = "other:1" }, "Warning Corrected: Deployment tms-a was changed by another client and is corrected"},
		"maximum": {new(autoscalingv2.HorizontalPodAutoscaler), func(o client.Object) { o.(*autoscalingv2.HorizontalPodAutoscaler).Spec.MaxReplicas = 99 }, "Warning Corrected: HorizontalPodAutoscaler tms-a was changed by another client and is corrected"},
		"label":   {new(corev1.Service), func(o client.Object) { o.SetLabels(nil) }, "Warning Corrected: Service tms-a was changed by another client and is corrected"},
		"addition": {new(corev1.Service), func(o client.Object) {
			o.SetAnnotations(merged(o.GetAnnotations(), "example.com/mine", "yes"))
			o.(*corev1.Service).Spec.SessionAffinity = corev1.ServiceAffinityClientIP
		}, ""},
		"second owner": {new(corev1.Service), func(o client.Object) {
			o.SetOwnerReferences(append(o.GetOwnerReferences(), metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", scaled))
			e.reconcile("a")
			e.reconcile("a")
			e.written()
			e.recorded()
			before := read(e, test.object, "tms-a").DeepCopyObject().(client.Object)
			changed := before.DeepCopyObject().(client.Object)
			test.change(changed)
			e.update(changed)
			e.reconcile("a")
			after := read(e, test.object, "tms-a")
			if test.event == "" {
				require.Empty(t, e.written())
				require.Empty(t, e.recorded())
				changed.SetResourceVersion(after.GetResourceVersion())
				changed.SetManagedFields(nil)
				require.Equal(t, changed, after)
				return
			}
			kind, err := e.GroupVersionKindFor(after)
			require.NoError(t, err)
			writes := []string{"take over " + kind.Kind + " tms-a", "apply " + kind.Kind + " tms-a"}
			if kind.Kind == autoscalerKind {
				writes = writes[1:] // it was applied before
			}
			require.Equal(t, writes, e.written())
			related := e.events.related[0].(client.Object)
			require.Equal(t, "tms-a", related.GetName())
			require.Empty(t, related.GetResourceVersion(), "otherwise no two events are equal")
			require.Equal(t, []string{test.event}, e.recorded())
			before.SetResourceVersion(after.GetResourceVersion())
			require.Equal(t, before, after)
			e.reconcile("a")
			require.Empty(t, e.written())
		})
	}
}

// TestLostLabel: an object that the cache loses is corrected, each time. Until the cache shows
// it again, all that the controller reads is as it was the last time.
func TestLostLabel(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	for range 3 {
		e.reconcile("a")
	}
	for _, label := range []string{"", "me", "someone"} {
		service := read(e, new(corev1.Service), "tms-a")
		service.Labels[managedByLabel] = label
		e.update(service)
		e.reconcile("a")
		require.Equal(t, managedBy, read(e, new(corev1.Service), "tms-a").Labels[managedByLabel])
	}
}

func podSpec(object client.Object) *corev1.PodSpec {
	return &object.(*appsv1.Deployment).Spec.Template.Spec
}

func merged(all map[string]string, key, value string) map[string]string {
	if all == nil {
		all = map[string]string{}
	}
	all[key] = value
	return all
}

// TestNoCorrection: an apply that changes nothing, because the API server has the same
// value in another form, is not reported.
func TestNoCorrection(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixed))
	e.reconcile("a")
	e.recorded()
	deployment := e.deploymentOf("a")
	podSpec(deployment).Containers[0].Image = "other:1"
	e.update(deployment)
	applier := &unchanged{Client: e.Client, version: e.deploymentOf("a").ResourceVersion}
	e.Client = applier
	e.reconcile("a")
	require.Equal(t, 1, applier.applied)
	require.Empty(t, e.recorded())
}

// unchanged applies without an effect.
type unchanged struct {
	client.Client
	version string
	applied int
}

func (u *unchanged) Apply(_ context.Context, object runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	u.applied++
	object.(interface{ SetResourceVersion(string) }).SetResourceVersion(u.version)
	return nil
}

// TestNameConflict: an object of another owner is not overwritten, and nothing else is
// applied. When the object is gone, the lease continues.
func TestNameConflict(t *testing.T) {
	t.Parallel()
	foreign := func() []client.Object {
		deployment, service := &appsv1.Deployment{}, &corev1.Service{}
		for _, o := range []client.Object{deployment, service} {
			o.SetName("tms-a")
			o.SetNamespace("ns")
		}
		service.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x", Controller: new(true)}}
		service.Labels = map[string]string{managedByLabel: managedBy, v1alpha1.LeaseLabel: "a"}
		return []client.Object{deployment, service}
	}
	e := newEnvironment(t, scales, append(foreign(), newLease(t, "a", scaled))...)
	result := e.reconcile("a")
	require.Equal(t, pollInterval, result.RequeueAfter, "the controller does not watch objects of others")
	require.Equal(t, []string{"update status TritonLease a", "create Deployment tms-a", "update status TritonLease a"}, e.written(), "the Deployment exists")
	const message = "Deployment tms-a exists and does not belong to this lease: delete it, or give the lease another name\n" +
		"Service tms-a exists and does not belong to this lease: delete it, or give the lease another name"
	require.Equal(t, "False Conflict: "+message, e.condition("a", v1alpha1.ConditionReady))
	require.Equal(t, "Unknown NotApplied: an object cannot be applied, see the condition Ready", e.condition("a", v1alpha1.ConditionAutoscaling))
	require.Equal(t, []string{"Normal Granted: the lease has what it asks for", "Warning Conflict: " + message}, e.recorded())

	e.reconcile("a")
	require.Empty(t, e.written())
	require.Empty(t, e.recorded(), "an event is recorded once")

	for _, object := range foreign() {
		require.NoError(t, e.cluster.Delete(t.Context(), object))
	}
	e.reconcile("a")
	require.Equal(t, []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
	require.Contains(t, e.condition("a", v1alpha1.ConditionReady), "False Starting")
}

// leftoverMeta returns the metadata of an object of a deleted lease with the name a.
func leftoverMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: "tms-a", Namespace: "ns",
		Labels:          map[string]string{managedByLabel: managedBy, v1alpha1.LeaseLabel: "a"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TritonLease", Name: "a", UID: "deleted", Controller: new(true)}},
	}
}

// TestRecreatedLease: a lease waits until the garbage collector deleted the objects of a
// deleted lease with its name. That is no conflict.
func TestRecreatedLease(t *testing.T) {
	t.Parallel()
	service := &corev1.Service{ObjectMeta: leftoverMeta()}
	e := newEnvironment(t, scales, service, newLease(t, "a", scaled))
	result := e.reconcile("a")
	require.Equal(t, pollInterval, result.RequeueAfter)
	require.Equal(t, "False Starting: Service tms-a of an earlier lease with this name is not deleted yet; if it stays, check its finalizers", e.condition("a", v1alpha1.ConditionReady))
	require.Equal(t, []string{"Normal Granted: the lease has what it asks for"}, e.recorded())

	e.reconcile("a") // this one observes the Deployment
	e.written()
	e.reconcile("a")
	require.Empty(t, e.written(), "nothing changes while the lease waits")

	require.NoError(t, e.cluster.Delete(t.Context(), service))
	e.reconcile("a")
	require.Equal(t, []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
	require.Equal(t, "False Starting: 0 of 1 replicas serve", e.condition("a", v1alpha1.ConditionReady))
}

// TestOrphanedObject: an object that lost its owner because its lease was deleted with
// --cascade=orphan stays without an owner, though the cache does not show the deletion yet.
// Otherwise the garbage collector would delete it.
func TestOrphanedObject(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(e *environment, lease *v1alpha1.TritonLease){
		"being deleted": func(e *environment, lease *v1alpha1.TritonLease) {
			lease.Finalizers = []string{metav1.FinalizerOrphanDependents}
			e.update(lease)
			require.NoError(t, e.cluster.Delete(t.Context(), lease))
		},
		"deleted": func(e *environment, lease *v1alpha1.TritonLease) {
			require.NoError(t, e.cluster.Delete(t.Context(), lease))
		},
		"recreated": func(e *environment, lease *v1alpha1.TritonLease) {
			require.NoError(t, e.cluster.Delete(t.Context(), lease))
			again := newLease(t, "a", scaled)
			again.UID = "again"
			require.NoError(t, e.cluster.Create(t.Context(), again))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", scaled))
			e.reconcile("a")
			e.reconcile("a")
			e.written()
			e.recorded()
			lease := e.lease("a")
			remove(e, lease.DeepCopy())
			service := read(e, new(corev1.Service), "tms-a")
			service.OwnerReferences = nil
			e.update(service)

			e.Client = behind{e.Client, lease}
			e.reconcile("a")
			require.Empty(t, read(e, new(corev1.Service), "tms-a").OwnerReferences)
			require.Empty(t, e.written())
			require.Empty(t, e.recorded())
		})
	}
}

// behind is a cache that shows an earlier state of a lease.
type behind struct {
	client.Client
	lease *v1alpha1.TritonLease
}

func (b behind) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if lease, ok := object.(*v1alpha1.TritonLease); ok && key == client.ObjectKeyFromObject(b.lease) {
		b.lease.DeepCopyInto(lease)
		return nil
	}
	return b.Client.Get(ctx, key, object, options...)
}

// TestNameOfLeaseConflict: a name that users gave another lease is not adopted, and the cache
// keeps the labels that identify it.
func TestNameOfLeaseConflict(t *testing.T) {
	t.Parallel()
	selector := map[string]string{v1alpha1.LeaseLabel: "b"}
	name := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "tms-a", Namespace: "ns", Labels: map[string]string{
			managedByLabel: managedBy, instanceLabel: "tms", v1alpha1.NamedLeaseLabel: "b", v1alpha1.ServerNamespaceLabel: "tms", "team": "x",
		}},
		Spec: corev1.ServiceSpec{Selector: selector},
	}
	e := newEnvironment(t, scales, name, newLease(t, "a", fixed))
	e.reconcile("a")
	require.Contains(t, e.condition("a", v1alpha1.ConditionReady), "False Conflict: Service tms-a exists and does not belong to this lease")
	require.NoError(t, e.cluster.Get(t.Context(), client.ObjectKeyFromObject(name), name))
	require.Equal(t, selector, name.Spec.Selector)
	require.Empty(t, name.OwnerReferences)

	_, err := trim(name)
	require.NoError(t, err)
	require.Equal(t, map[string]string{managedByLabel: managedBy, instanceLabel: "tms", v1alpha1.NamedLeaseLabel: "b", v1alpha1.ServerNamespaceLabel: "tms"}, name.Labels)
}

// TestNameConflictLater: if one object of a new lease has a name that is taken, the objects
// that were created before it are deleted again.
func TestNameConflictLater(t *testing.T) {
	t.Parallel()
	mine := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "tms-a", Namespace: "ns"}}
	mine.Spec.MaxReplicas = 99
	e := newEnvironment(t, scales, mine, newLease(t, "a", scaled))
	e.reconcile("a")
	require.Equal(t, []string{"HorizontalPodAutoscaler"}, e.objects("tms-a"))
	require.Contains(t, e.condition("a", v1alpha1.ConditionReady), "False Conflict: HorizontalPodAutoscaler tms-a exists")
	e.written()
	e.reconcile("a")
	require.Empty(t, e.written())
}

// TestTakeOver: a field that a lease no longer sets goes, also if the object was created with
// it. Fields of others stay.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], triton: {resources: {limits: {nvidia.com/gpu: 2}}}}`))
	e.reconcile("a")
	deployment := read(e, new(appsv1.Deployment), "tms-a")
	require.Contains(t, podSpec(deployment).Containers[0].Resources.Limits, corev1.ResourceName("nvidia.com/gpu"))
	deployment.Annotations["example.com/mine"] = "yes"
	e.update(deployment)
	for _, spec := range []string{`{models: [{name: m, uri: /m}]}`, `{models: [{name: m, uri: /m}], triton: {command: [tritonserver]}}`, `{models: [{name: m, uri: /m}]}`} {
		e.editSpec("a", spec)
		e.reconcile("a")
		deployment = read(e, new(appsv1.Deployment), "tms-a")
		require.NotContains(t, podSpec(deployment).Containers[0].Resources.Limits, corev1.ResourceName("nvidia.com/gpu"))
		require.Equal(t, "yes", deployment.Annotations["example.com/mine"])
	}
	require.Empty(t, podSpec(deployment).Containers[0].Command)
	taken := 0
	for _, w := range e.written() {
		if w == "take over Deployment tms-a" {
			taken++
		}
	}
	require.Equal(t, 1, taken, "once is enough")
}

// TestNameTakenMeanwhile: an object that another client creates between read and apply
// is not overwritten.
func TestNameTakenMeanwhile(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixed))
	e.fail = func(w write) error {
		if w.String() == "create Service tms-a" {
			mine := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "tms-a", Namespace: "ns"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "mine"}, Type: corev1.ServiceTypeNodePort}}
			mine.Spec.Ports = []corev1.ServicePort{{Port: 80, Name: "http"}}
			require.NoError(t, e.cluster.Create(t.Context(), mine))
		}
		return nil
	}
	result := e.reconcile("a")
	require.NotZero(t, result.RequeueAfter)
	service := read(e, new(corev1.Service), "tms-a")
	require.Empty(t, service.OwnerReferences)
	require.Equal(t, corev1.ServiceTypeNodePort, service.Spec.Type)
	e.fail = nil
	e.reconcile("a")
	require.Contains(t, e.condition("a", v1alpha1.ConditionReady), "False Conflict: Service tms-a")
}

// TestAdoption: objects that a deleted lease left behind belong to the next lease of its
// name. Those that it does not have are pruned.
func TestAdoption(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	e.reconcile("a")
	for _, k := range e.kinds {
		if !slices.Contains(notOfLease, k.Kind) {
			object := read(e, k.newObject(), "tms-a")
			object.SetOwnerReferences(nil)
			e.update(object)
		}
	}
	headless := read(e, new(corev1.Service), "tms-a-headless")
	headless.SetOwnerReferences(nil)
	e.update(headless)
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
	next := newLease(t, "a", fixed)
	next.UID = "uid-2"
	require.NoError(t, e.cluster.Create(t.Context(), next))
	e.written()
	e.recorded()
	e.reconcile("a")
	require.Equal(t, []string{"Deployment", "Service"}, e.objects("tms-a"))
	require.Equal(t, next.UID, metav1.GetControllerOf(e.deploymentOf("a")).UID)
	for _, event := range e.recorded() {
		require.NotContains(t, event, "Corrected")
	}
	e.reconcile("a")
	e.written()
	e.reconcile("a")
	require.Empty(t, e.written())
}
