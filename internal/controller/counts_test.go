package controller

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
)

func counted(leases, perNamespace int) string {
	return fmt.Sprintf(`server: {leases: {limits: {leases: %d, leasesPerNamespace: %d}}}`, leases, perNamespace)
}

const (
	namespaceFull    = "False Refused: metadata.namespace: Forbidden: namespace ns must not have more granted TritonLeases than server.leases.limits.leasesPerNamespace (2); delete leases, or ask the administrator to raise the limit together with the memory of tms-server"
	installationFull = "False Refused: metadata.namespace: Forbidden: the installation must not have more granted TritonLeases than server.leases.limits.leases (3); delete leases, or ask the administrator to raise the limit together with the memory of tms-server"
	forbidden        = `{models: [{name: m, uri: /m}], image: forbidden}`
	isGranted        = "True Granted: the lease has what it asks for"
)

// TestLeaseCount: a lease beyond a limit is refused, and gets its turn when others are gone.
// A limit that is lowered ends no lease, also for a new leader.
func TestLeaseCount(t *testing.T) {
	t.Parallel()
	elsewhere := newLease(t, "elsewhere", fixed)
	elsewhere.Namespace = "other"
	e := newEnvironment(t, counted(3, 2), newLease(t, "a", fixed), newLease(t, "b", fixed), newLease(t, "c", fixed), newLease(t, "refused", forbidden), elsewhere)
	granted := func(name string) string { return e.condition(name, v1alpha1.ConditionGranted) }
	e.reconcile("refused")
	e.reconcile("a")
	e.reconcile("b")
	require.Equal(t, isGranted, granted("a"))
	require.Equal(t, isGranted, granted("b"))
	require.Equal(t, pollInterval, e.reconcile("c").RequeueAfter)
	require.Equal(t, namespaceFull, granted("c"))
	require.Equal(t, []v1alpha1.Refusal{{Field: "metadata.namespace", Reason: "FieldValueForbidden", Message: e.lease("c").Status.Refusals[0].Message}}, e.lease("c").Status.Refusals)
	require.Empty(t, e.objects("tms-c"))
	e.written()
	e.reconcile("c")
	require.Empty(t, e.written(), "nothing is written while nothing changes")

	// The installation has room for one more, but not the namespace.
	_, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(elsewhere)})
	require.NoError(t, err)
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
	e.configuration = configuration(t, counted(3, 4))
	e.reconcile("a") // it is gone
	e.reconcile("c")
	require.Equal(t, isGranted, granted("c"))
	require.NoError(t, e.cluster.Create(t.Context(), newLease(t, "d", fixed)))
	e.reconcile("d")
	require.Equal(t, installationFull, granted("d"))

	e.configuration = configuration(t, counted(1, 1))
	for range 2 {
		for _, name := range []string{"b", "c"} {
			e.reconcile(name)
			require.Equal(t, isGranted, granted(name))
		}
		require.Len(t, e.counts.leases, 3)
		e.counts = counts{} // a new leader
	}
	e.counts = counts{leases: map[client.ObjectKey]types.UID{}, byNamespace: map[string]int{}} // the cache lagged
	for _, name := range []string{"b", "c"} {
		e.reconcile(name)
		require.Equal(t, isGranted, granted(name))
	}
	e.counts = counts{}
	e.configuration = configuration(t, counted(5, 5))
	e.reconcile("d")
	require.Equal(t, isGranted, granted("d"))
	require.Len(t, e.counts.leases, 4)
	require.Equal(t, map[string]int{"ns": 3, "other": 1}, e.counts.byNamespace)
}

// TestLeaseCountNeedsGrant: a lease that another rule refuses does not count, unless it has
// an earlier grant. Nor does a lease of another installation.
func TestLeaseCountNeedsGrant(t *testing.T) {
	t.Parallel()
	const gpus = `{models: [{name: m, uri: /m}], triton: {resources: {limits: {nvidia.com/gpu: %d}}}}`
	e := newEnvironment(t, `server: {leases: {limits: {leases: 1}, budget: {gpus: 4}}}`, newLease(t, "a", fmt.Sprintf(gpus, 8)), newLease(t, "b", fixed), newLease(t, "c", fixed))
	granted := func(name string) string { return e.condition(name, v1alpha1.ConditionGranted)[:4] }
	e.reconcile("a")
	require.Contains(t, e.condition("a", v1alpha1.ConditionGranted), "do not fit in the budget")
	require.Empty(t, e.counts.leases)
	e.reconcile("b")
	require.Equal(t, "True", granted("b"))
	e.editSpec("b", forbidden)
	e.reconcile("b")
	require.Equal(t, "Fals", granted("b"))
	e.reconcile("c")
	require.Equal(t, "Fals", granted("c"), "b still has its objects")

	b := e.lease("b")
	b.Status.Installation = "system/other"
	require.NoError(t, e.cluster.Status().Update(t.Context(), b))
	e.reconcile("b")
	e.reconcile("c")
	require.Equal(t, "True", granted("c"))

	// A lease with the name of an earlier one needs a place of its own.
	c := newLease(t, "c", fixed)
	c.UID = "later"
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("c")))
	require.NoError(t, e.cluster.Create(t.Context(), c))
	e.reconcile("c")
	require.Equal(t, "True", granted("c"))
	require.Equal(t, map[string]int{"ns": 1}, e.counts.byNamespace)
}

// TestLeaseCountAndBudget: a lease beyond the limit holds back no GPUs.
func TestLeaseCountAndBudget(t *testing.T) {
	t.Parallel()
	const replicas = `{models: [{name: m, uri: /m}], triton: {replicas: %d, resources: {limits: {nvidia.com/gpu: 1}}}}`
	older := newLease(t, "older", fmt.Sprintf(replicas, 4))
	older.CreationTimestamp.Time = epoch.Add(-time.Hour)
	e := newEnvironment(t, `server: {leases: {limits: {leases: 1}, budget: {gpus: 4}}}`, newLease(t, "a", fmt.Sprintf(replicas, 2)))
	e.reconcile("a")
	require.NoError(t, e.cluster.Create(t.Context(), older))
	e.reconcile("older")
	require.Contains(t, e.condition("older", v1alpha1.ConditionGranted), "server.leases.limits.leases (1)")
	q := withQueue(e)
	e.editSpec("a", fmt.Sprintf(replicas, 4))
	e.reconcile("a")
	require.EqualValues(t, 4, e.lease("a").Status.Granted.Replicas)
	require.Empty(t, q.queued(), "a change cannot help the other one")
}

// TestConcurrentLeaseCount: several workers together do not exceed the limit, and every
// place that becomes free is taken.
func TestConcurrentLeaseCount(t *testing.T) {
	t.Parallel()
	c := configuration(t, counted(30, 100))
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, c, 60)
		l.start(t, 8)
		synctest.Wait()
		require.Equal(t, 30, l.granted())
		var gone []client.ObjectKey
		l.lock.Lock()
		for key, object := range l.objects {
			if lease, ok := object.(*v1alpha1.TritonLease); ok && lease.Status.Granted != nil && len(gone) < 10 {
				l.remove(key)
				gone = append(gone, client.ObjectKeyFromObject(lease))
			}
		}
		l.lock.Unlock()
		for _, key := range gone {
			l.q.Add(reconcile.Request{NamespacedName: key})
		}
		synctest.Wait()
		require.Equal(t, 20, l.granted())
		time.Sleep(pollInterval)
		synctest.Wait()
		require.Equal(t, 30, l.granted())
	})
}
