package controller

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
)

// TestInputs checks what makes a lease whose objects were up to date be rendered and compared
// again.
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
			e.configuration = configuration(t, `server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true, threshold: {default: 70000}}}}}`)
		},
		"replicas of the Deployment": func(e *environment) { e.setReplicas("a", 2) },
		"deleted object": func(e *environment) {
			require.NoError(t, e.cluster.Delete(t.Context(), read(e, new(appsv1.Deployment), "tms-a")))
		},
		"a kind is no longer watched": func(e *environment) { e.kinds[0].watched.Store(false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", scaled))
			for range 3 {
				e.reconcile("a")
			}
			change(e)
			rec := e.reconciliationOf("a")
			require.NoError(t, rec.listOwned(t.Context()))
			objects, err := rec.evaluate(t.Context(), e.configuration.LeaseRenderer())
			require.NoError(t, err)
			require.NotNil(t, rec.granted)
			same := slices.Contains([]string{"", "other bounds, same objects", "spec, same manifests"}, name)
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
