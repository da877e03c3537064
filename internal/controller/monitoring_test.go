package controller

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// monitors is a configuration in which leases have their monitors in a form.
func monitors(form string) string {
	return fmt.Sprintf(`
server:
  autoscaling:
    enable: true
    prometheus: {monitors: %s}
    metrics:
      queueTime: {enabled: true, allowed: true}
      waitingRequests: {allowed: true}
      kvCache: {query: "max by (namespace, pod) (kv_cache{$pods})", unit: percent, allowed: true, threshold: {default: 80, minimum: 50}}
`, form)
}

// sharedName is the name of the shared monitors of the environment.
const sharedName = "tms.system.leases"

// scaledBy returns the spec of a lease that scales by one more metric.
func scaledBy(metric string) string {
	return fmt.Sprintf(`{models: [{name: m, uri: /m}], autoscaling: {enable: true, metrics: {%s: {enabled: true}}}}`, metric)
}

// monitor reconciles the shared monitors of the namespace ns, which must not fail.
func (e *environment) monitor() reconcile.Result {
	e.t.Helper()
	result, err := e.tryMonitor()
	require.NoError(e.t, err)
	return result
}

func (e *environment) tryMonitor() (reconcile.Result, error) {
	m := &monitoring{e.reconciler}
	return m.Reconcile(e.t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "ns"}})
}

// isQuiet reconciles leases, and requires that the shared monitors need no write then.
func (e *environment) isQuiet(leases ...string) {
	e.t.Helper()
	for _, name := range leases {
		e.reconcile(name)
	}
	e.written()
	e.monitor()
	require.Empty(e.t, e.written())
}

func (e *environment) sharedMonitor(kind, name string) *unstructured.Unstructured {
	e.t.Helper()
	object := new(unstructured.Unstructured)
	object.SetAPIVersion("monitoring.coreos.com/v1")
	object.SetKind(kind)
	return read(e, object, name)
}

// records returns the series that a shared PrometheusRule records.
func (e *environment) records(name string) []string {
	e.t.Helper()
	var series []string
	groups, _, err := unstructured.NestedSlice(e.sharedMonitor("PrometheusRule", name).Object, "spec", "groups")
	require.NoError(e.t, err)
	for _, group := range groups {
		for _, rule := range group.(map[string]any)["rules"].([]any) {
			if record, ok := rule.(map[string]any)["record"].(string); ok {
				series = append(series, record)
			}
		}
	}
	return series
}

// TestSharedMonitors checks that the leases of a namespace share monitors, which change only
// if the leases together need something else.
func TestSharedMonitors(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("shared"), newLease(t, "a", scaled))
	require.Zero(t, e.monitor())
	require.Empty(t, e.written(), "no lease is granted")

	e.reconcile("a")
	require.Equal(t, []string{"Deployment", "Service", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
	e.written()
	require.Zero(t, e.monitor())
	require.Equal(t, []string{"create PodMonitor " + sharedName, "create PrometheusRule " + sharedName}, e.written())
	require.Empty(t, e.sharedMonitor("PodMonitor", sharedName).GetOwnerReferences())
	signals := []string{"tms_avg_request_queue_duration", "tms_avg_gpu_utilization", "tms_pending_requests"}
	require.Equal(t, signals, e.records(sharedName))
	e.isQuiet("a")

	for _, name := range []string{"b", "c"} { // other leases of the same needs
		require.NoError(t, e.cluster.Create(t.Context(), newLease(t, name, scaled)))
		e.isQuiet("a", name)
	}
	require.NoError(t, e.cluster.Create(t.Context(), newLease(t, "plain", fixed)))
	e.isQuiet("plain")

	e.editSpec("b", scaledBy("waitingRequests"))
	e.editSpec("c", scaledBy("kvCache"))
	e.reconcile("b")
	e.reconcile("c")
	e.written()
	e.monitor()
	require.Equal(t, []string{"take over PrometheusRule " + sharedName, "apply PrometheusRule " + sharedName, "create PrometheusRule " + sharedName + ".metrics"}, e.written())
	require.Equal(t, append(signals, "tms_waiting_requests"), e.records(sharedName))
	require.Equal(t, []string{"tms_metric_kv_cache"}, e.records(sharedName+".metrics"))
	e.isQuiet("a", "b", "c")

	e.editSpec("b", scaled)
	e.editSpec("c", fixed)
	e.reconcile("b")
	e.reconcile("c")
	e.written()
	e.monitor()
	require.Equal(t, []string{"apply PrometheusRule " + sharedName, "delete Background PrometheusRule " + sharedName + ".metrics"}, e.written())
	require.Equal(t, signals, e.records(sharedName))

	for _, name := range []string{"a", "c", "plain"} {
		require.NoError(t, e.cluster.Delete(t.Context(), e.lease(name)))
		e.isQuiet()
	}
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("b")))
	require.Zero(t, e.monitor())
	require.Empty(t, e.objects(sharedName))
}

// TestSharedMonitorsOfOthers checks which leases need shared monitors, and that those of
// another installation with the same release name stay.
func TestSharedMonitorsOfOthers(t *testing.T) {
	t.Parallel()
	claimed := newLease(t, "claimed", scaled)
	claimed.Status = v1alpha1.TritonLeaseStatus{Installation: "other/tms", Granted: &v1alpha1.Granted{Grant: v1alpha1.Grant{Autoscaled: true}}}
	deleted := newLease(t, "deleted", scaled)
	deleted.Finalizers = []string{"example.com/keep"}
	targeted := newLease(t, "targeted", `{target: {name: triton, selector: {app: triton}}, autoscaling: {enable: true}}`)
	for _, lease := range []*v1alpha1.TritonLease{deleted, targeted} {
		lease.Status = v1alpha1.TritonLeaseStatus{Installation: "system/tms", Granted: &v1alpha1.Granted{Grant: v1alpha1.Grant{Autoscaled: true}}}
	}
	foreign := new(unstructured.Unstructured)
	foreign.SetAPIVersion("monitoring.coreos.com/v1")
	foreign.SetKind("PodMonitor")
	foreign.SetNamespace("ns")
	foreign.SetName("tms.other.leases")
	foreign.SetLabels(map[string]string{managedByLabel: managedBy, instanceLabel: "tms"})
	sibling := foreign.DeepCopy()
	sibling.SetName("second.system.leases")
	sibling.SetLabels(map[string]string{managedByLabel: managedBy, instanceLabel: "second"})
	e := newEnvironment(t, monitors("shared"), claimed, deleted, targeted, foreign, sibling)
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("deleted")))
	e.isQuiet()
}

// TestSharedMonitorsDrift checks that changes of the shared monitors by others are corrected.
func TestSharedMonitorsDrift(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*unstructured.Unstructured) error{
		"spec": func(o *unstructured.Unstructured) error {
			return unstructured.SetNestedSlice(o.Object, []any{}, "spec", "podMetricsEndpoints")
		},
		"labels": func(o *unstructured.Unstructured) error { o.SetLabels(nil); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, monitors("shared"), newLease(t, "a", scaled))
			e.reconcile("a")
			e.monitor()
			e.written()
			e.recorded()
			before := e.sharedMonitor("PodMonitor", sharedName)
			changed := before.DeepCopy()
			require.NoError(t, change(changed))
			e.update(changed)
			e.monitor()
			require.Contains(t, e.written(), "apply PodMonitor "+sharedName)
			require.Equal(t, []string{"Warning Corrected: PodMonitor " + sharedName + " was changed by another client and is corrected"}, e.recorded())
			after := e.sharedMonitor("PodMonitor", sharedName)
			require.Equal(t, before.Object["spec"], after.Object["spec"])
			require.Equal(t, before.GetLabels(), after.GetLabels())
			e.isQuiet("a")

			require.NoError(t, e.cluster.Delete(t.Context(), after))
			e.monitor()
			require.Equal(t, []string{"create PodMonitor " + sharedName}, e.written())
		})
	}
}

// TestSharedMonitorsTaken checks that an object of others is not overwritten, and that the
// other monitors are applied.
func TestSharedMonitorsTaken(t *testing.T) {
	t.Parallel()
	taken := new(unstructured.Unstructured)
	taken.SetAPIVersion("monitoring.coreos.com/v1")
	taken.SetKind("PodMonitor")
	taken.SetNamespace("ns")
	taken.SetName(sharedName)
	e := newEnvironment(t, monitors("shared"), newLease(t, "a", scaled), taken)
	e.reconcile("a")
	e.written()
	e.recorded()
	_, err := e.tryMonitor()
	const message = "PodMonitor " + sharedName + " exists and was not created by tms-server: delete it, then the leases of the namespace are monitored"
	require.EqualError(t, err, message)
	require.Equal(t, []string{"create PodMonitor " + sharedName, "create PrometheusRule " + sharedName}, e.written())
	require.Equal(t, []string{"Warning Conflict: " + message}, e.recorded())
	require.NoError(t, e.cluster.Delete(t.Context(), taken))
	e.monitor()
	require.Equal(t, []string{"create PodMonitor " + sharedName}, e.written())
}

// TestSharedMonitorsFail checks that a failed request is retried.
func TestSharedMonitorsFail(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("shared"), newLease(t, "a", scaledBy("kvCache")))
	e.reconcile("a")
	e.written()
	e.fail = func(w write) error {
		if w.name == sharedName {
			return errors.New("a webhook refuses it")
		}
		return nil
	}
	_, err := e.tryMonitor()
	require.EqualError(t, err, "PodMonitor "+sharedName+": a webhook refuses it\nPrometheusRule "+sharedName+": a webhook refuses it")
	require.Contains(t, e.written(), "create PrometheusRule "+sharedName+".metrics", "one object that fails does not delay the others")
	e.fail = nil
	e.monitor()
	require.Equal(t, []string{"PodMonitor", "PrometheusRule"}, e.objects(sharedName))

	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
	e.fail = func(write) error { return errors.New("forbidden") }
	_, err = e.tryMonitor()
	require.ErrorContains(t, err, "forbidden")
	e.fail = nil
	e.monitor()
	require.Empty(t, e.objects(sharedName))
}

// TestSharedMonitorsKindsMissing checks that a lease reports it if the API server does not
// serve the kinds of shared monitors, and that they are created once it does.
func TestSharedMonitorsKindsMissing(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("shared"), newLease(t, "a", scaled), newLease(t, "plain", fixed))
	serve := func(served bool) {
		for _, k := range e.kinds {
			if isMonitorKind(k) {
				k.watched.Store(served)
			}
		}
	}
	serve(false)
	e.reconcile("a")
	e.reconcile("plain")
	e.written()
	require.Zero(t, e.monitor())
	require.Empty(t, e.written())
	require.Contains(t, e.condition("a", v1alpha1.ConditionAutoscaling), "False KindsMissing: the API server does not serve PodMonitor and PrometheusRule")
	require.Contains(t, e.condition("plain", v1alpha1.ConditionAutoscaling), "False NotAsked")
	serve(true)
	e.reconcile("a")
	e.monitor()
	require.Equal(t, []string{"PodMonitor", "PrometheusRule"}, e.objects(sharedName))
	require.Contains(t, e.condition("a", v1alpha1.ConditionAutoscaling), "Unknown Starting")
}

// delayed records the namespaces that are enqueued.
type delayed struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	namespaces []string
}

// AddAfter implements workqueue.TypedDelayingInterface.
func (d *delayed) AddAfter(request reconcile.Request, delay time.Duration) {
	if delay == monitoringDelay && request.Namespace == "" {
		d.namespaces = append(d.namespaces, request.Name)
	}
}

// enqueued returns the namespaces since its last call.
func (d *delayed) enqueued() []string {
	namespaces := d.namespaces
	d.namespaces = nil
	return namespaces
}

// TestMonitoringEvents checks which changes of leases reconcile the shared monitors.
func TestMonitoringEvents(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("shared"), newLease(t, "a", fixed), newLease(t, "b", fixed))
	q := new(delayed)
	m := &monitoring{e.reconciler}
	h := m.leaseHandler()
	asked := newLease(t, "a", scaled)
	h.Create(t.Context(), event.CreateEvent{Object: asked}, q)
	require.Empty(t, q.enqueued(), "it is not granted yet")

	granted := asked.DeepCopy()
	granted.Status.Installation = "system/tms"
	granted.Status.Granted = &v1alpha1.Granted{Grant: v1alpha1.Grant{Autoscaled: true, MaxReplicas: 3, Metrics: []v1alpha1.MetricThreshold{{Metric: "queueTime"}}}}
	h.Create(t.Context(), event.CreateEvent{Object: granted}, q)
	require.Equal(t, []string{"ns"}, q.enqueued())
	for name, test := range map[string]struct {
		change func(*v1alpha1.TritonLease)
		want   bool
	}{
		"replicas":             {func(l *v1alpha1.TritonLease) { l.Status.Replicas++; l.Status.Granted.MaxReplicas++ }, false},
		"no longer autoscaled": {func(l *v1alpha1.TritonLease) { l.Status.Granted.Grant = v1alpha1.Grant{} }, true},
		"another metric":       {func(l *v1alpha1.TritonLease) { l.Status.Granted.Metrics[0].Metric = "kvCache" }, true},
		"renewed":              {func(l *v1alpha1.TritonLease) { l.Status.Granted.AutoRenew = true }, true},
		"released":             {func(l *v1alpha1.TritonLease) { l.Status.Installation = "" }, true},
		"being deleted":        {func(l *v1alpha1.TritonLease) { l.DeletionTimestamp = new(metav1.NewTime(epoch)) }, true},
		"target":               {func(l *v1alpha1.TritonLease) { l.Spec.Target = &v1alpha1.Target{Name: "x"} }, true},
	} {
		changed := granted.DeepCopy()
		test.change(changed)
		h.Update(t.Context(), event.UpdateEvent{ObjectOld: granted, ObjectNew: changed}, q)
		require.Equal(t, test.want, len(q.enqueued()) > 0, name)
		h.Update(t.Context(), event.UpdateEvent{ObjectOld: changed, ObjectNew: granted}, q)
		require.Equal(t, test.want, len(q.enqueued()) > 0, name)
	}
	h.Delete(t.Context(), event.DeleteEvent{Object: asked}, q)
	require.Empty(t, q.enqueued())
	h.Delete(t.Context(), event.DeleteEvent{Object: granted}, q)
	require.Equal(t, []string{"ns"}, q.enqueued())

	m.enqueueNamespaces(t.Context(), event.GenericEvent{}, q)
	require.Equal(t, []string{"ns"}, q.enqueued(), "once, and not for each lease")
	m.Client = &failingReader{Client: e.Client, fail: "same target", err: errors.New("no connection")}
	m.enqueueNamespaces(t.Context(), event.GenericEvent{}, q)
	require.Empty(t, q.enqueued())
}

// TestMonitorEvents checks which changes of monitors reconcile the shared ones.
func TestMonitorEvents(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, monitors("both"), newLease(t, "a", scaled))
	e.reconcile("a")
	e.monitor()
	filter := (&monitoring{e.reconciler}).sharedPredicate()
	for name, isShared := range map[string]bool{sharedName: true, "tms-a": false} {
		object := e.sharedMonitor("PodMonitor", name)
		relabelled, same := object.DeepCopy(), object.DeepCopy()
		relabelled.SetLabels(map[string]string{managedByLabel: managedBy})
		same.SetResourceVersion("1")
		require.Equal(t, isShared, filter.Create(event.CreateEvent{Object: object}), name)
		require.Equal(t, isShared, filter.Delete(event.DeleteEvent{Object: object}), name)
		require.Equal(t, isShared, filter.Update(event.UpdateEvent{ObjectOld: object, ObjectNew: relabelled}), name)
		require.False(t, filter.Update(event.UpdateEvent{ObjectOld: object, ObjectNew: same}), name)
	}
}
