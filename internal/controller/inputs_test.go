package controller

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
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
