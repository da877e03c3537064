package controller

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestInputs checks what makes a lease be rendered and compared again, after one reconciliation
// that applied its objects.
func TestInputs(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*environment){
		"":                           func(*environment) {},
		"other bounds, same objects": func(e *environment) { e.configuration = configuration(t, scales+"\n# another configuration") },
		"spec, same manifests": func(e *environment) {
			e.editSpec("a", `{models: [{name: resnet50, uri: s3://models/vision}], autoscaling: {enable: true, replicas: {maximum: 4}}, duration: 1h}`)
		},
		"spec": func(e *environment) { e.editSpec("a", fixed) },
		"other objects": func(e *environment) {
			e.configuration = configuration(t, `server: {autoscaling: {enable: true, prometheus: {monitors: perLease}, metrics: {queueTime: {enabled: true, threshold: {default: 70000}}}}}`)
		},
		"replicas of the Deployment": func(e *environment) { e.setReplicas("a", 2) },
		"other objects, which one reconciliation applied": func(e *environment) {
			e.configuration = configuration(t, `server: {autoscaling: {enable: true, prometheus: {monitors: perLease}, metrics: {queueTime: {enabled: true, threshold: {default: 70000}}}}}`)
			e.reconcile("a")
		},
		"status of the Deployment": func(e *environment) {
			deployment := e.deploymentOf("a")
			deployment.Annotations[revisionAnnotation] = "1" // as Kubernetes does
			e.update(deployment)
			deployment.Status.Replicas = 1
			require.NoError(t, e.cluster.Status().Update(t.Context(), deployment))
		},
		"deleted object": func(e *environment) {
			require.NoError(t, e.cluster.Delete(t.Context(), read(e, new(appsv1.Deployment), "tms-a")))
		},
		"a kind is no longer watched": func(e *environment) { e.kinds[0].watched.Store(false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", scaled))
			e.reconcile("a")
			change(e)
			rec := e.reconciliationOf("a")
			require.NoError(t, rec.listOwned(t.Context()))
			objects, err := rec.evaluate(t.Context(), e.configuration.LeaseRenderer())
			require.NoError(t, err)
			require.NotNil(t, rec.granted)
			same := slices.Contains([]string{"", "other bounds, same objects", "spec, same manifests", "other objects, which one reconciliation applied", "status of the Deployment"}, name)
			require.Equal(t, same, objects == nil)
		})
	}
}

// TestInputsForgotten checks that nothing is remembered of a lease that is gone, or that has
// something left to do.
func TestInputsForgotten(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled), newLease(t, "refused", `{models: []}`))
	for range 2 {
		e.reconcile("a")
		e.reconcile("refused")
	}
	require.Len(t, e.reconciled.inputs, 1)
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
	e.reconcile("a")
	require.Empty(t, e.reconciled.inputs)
}

// reconciliationOf returns a reconciliation that begins.
func (e *environment) reconciliationOf(name string) *reconciliation {
	lease := e.lease(name)
	return &reconciliation{reconciler: e.reconciler, lease: lease, status: lease.Status.DeepCopy(), startedAt: e.now()}
}

// TestInputsReplicas checks that a lowered limit lowers the replicas that a lease keeps, which
// are not in its manifests.
func TestInputsReplicas(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixed))
	e.reconcile("a")
	e.setReplicas("a", 8)
	e.reconcile("a")
	require.EqualValues(t, 8, e.replicas("a"))
	e.configuration = configuration(t, `server: {leases: {limits: {replicas: 5}}}`)
	e.reconcile("a")
	require.EqualValues(t, 5, e.replicas("a"))
}

// TestReleasedAgain checks that a released lease is claimed again by the process that remembers
// it.
func TestReleasedAgain(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	e.reconcile("a")
	lease := e.lease("a")
	lease.Status.Installation = ""
	require.NoError(t, e.cluster.Status().Update(t.Context(), lease))
	result := e.reconcile("a")
	require.Equal(t, "system/tms", e.lease("a").Status.Installation)
	require.Equal(t, 24*time.Hour, result.RequeueAfter, "the lease expires then")
}

// TestKindServedMeanwhile checks that a lease gets the objects of a kind that the API server
// begins to serve while its other objects are applied.
func TestKindServedMeanwhile(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	serve := func(served bool) {
		for _, k := range e.kinds {
			if k.list == nil {
				k.watched.Store(served)
			}
		}
	}
	serve(false)
	e.fail = func(w write) error {
		if w.verb == "create" {
			serve(true)
		}
		return nil
	}
	e.reconcile("a")
	e.fail = nil
	require.NotContains(t, e.objects("tms-a"), podMonitorKind)
	e.reconcile("a")
	require.Contains(t, e.objects("tms-a"), podMonitorKind)
}

// TestOrphanShownLate checks that the autoscaler of an earlier lease of the name is pruned, if
// the cache shows only later that it has no owner.
func TestOrphanShownLate(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, `server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}`, newLease(t, "a", scaled))
	e.reconcile("a")
	for _, k := range e.kinds {
		list := k.newList()
		require.NoError(t, e.cluster.List(t.Context(), list))
		require.NoError(t, meta.EachListItem(list, func(item runtime.Object) error {
			item.(client.Object).SetOwnerReferences(nil)
			return e.cluster.Update(t.Context(), item.(client.Object))
		}))
	}
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
	again := newLease(t, "a", fixed)
	again.UID = "again"
	require.NoError(t, e.cluster.Create(t.Context(), again))
	current := e.Client
	e.Client = interceptor.NewClient(current.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			err := c.Get(ctx, key, object, options...)
			if _, isAutoscaler := object.(*autoscalingv2.HorizontalPodAutoscaler); isAutoscaler && err == nil {
				object.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TritonLease", Name: "a", UID: "uid-a", Controller: new(true)}})
			}
			return err
		},
	})
	e.reconcile("a")
	e.Client = current
	e.reconcile("a")
	require.Contains(t, strings.Join(e.written(), "\n"), "HorizontalPodAutoscaler tms-a")
	require.NotContains(t, e.objects("tms-a"), autoscalerKind)
}
