package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// budgeted is a configuration with a budget for each namespace.
func budgeted(gpus int) string {
	return fmt.Sprintf(`server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}, leases: {budget: {gpus: %d}}}`, gpus)
}

// scaledGPUs is a spec with one GPU for each of so many replicas.
func scaledGPUs(minimum, maximum int) string {
	return fmt.Sprintf(`{models: [{name: m, uri: /m}], triton: {resources: {limits: {nvidia.com/gpu: 1}}}, autoscaling: {enable: true, replicas: {minimum: %d, maximum: %d}}}`, minimum, maximum)
}

// fixedGPUs is a spec with one GPU for each replica.
func fixedGPUs(replicas int) string {
	return fmt.Sprintf(`{models: [{name: m, uri: /m}], triton: {replicas: %d, resources: {limits: {nvidia.com/gpu: 1}}}}`, replicas)
}

// younger returns a lease that was created after others.
func younger(t *testing.T, name, spec string, seconds int) *v1alpha1.TritonLease {
	t.Helper()
	lease := newLease(t, name, spec)
	lease.CreationTimestamp = metav1.NewTime(lease.CreationTimestamp.Add(time.Duration(seconds) * time.Second))
	return lease
}

// enqueued keeps the leases that the controller enqueues.
type enqueued struct {
	queue
	names []string
}

func (q *enqueued) Add(item reconcile.Request) { q.names = append(q.names, item.Name) }

// queued returns the leases that were enqueued since its last call.
func (q *enqueued) queued() []string {
	names := slices.Sorted(slices.Values(q.names))
	q.names = nil
	return slices.Compact(names)
}

func withQueue(e *environment) *enqueued {
	q := new(enqueued)
	var asQueue queue = q
	e.queue.Store(&asQueue)
	return q
}

// TestBudgetWrites: the charge of a new lease is in the write that claims it. An increase is
// written before the objects are applied, and a decrease after that.
func TestBudgetWrites(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(6), newLease(t, "a", fixedGPUs(2)))
	charges := func(want ...string) {
		t.Helper()
		var got []string
		e.fail = func(w write) error {
			if budget := e.lease("a").Status.Budget; w.kind == deploymentKind && w.verb != "take over" {
				got = append(got, fmt.Sprintf("apply with %d", budget.Charged))
			}
			return nil
		}
		e.reconcile("a")
		require.Equal(t, want, got)
	}
	charges("apply with 2")
	require.Equal(t, "update status TritonLease a", e.written()[0])
	require.Equal(t, &v1alpha1.Budget{GPUs: 6, Charged: 2, Used: 2}, e.lease("a").Status.Budget)
	require.Equal(t, &v1alpha1.Limits{Replicas: 10, GPUs: 8}, e.lease("a").Status.Limits)
	e.reconcile("a")
	e.written()
	e.reconcile("a")
	require.Empty(t, e.written())

	e.editSpec("a", fixedGPUs(5))
	charges("apply with 5")
	e.editSpec("a", fixedGPUs(1))
	charges("apply with 5")
	require.EqualValues(t, 1, e.lease("a").Status.Budget.Charged)

	// If the objects cannot be applied, the charge stays.
	e.editSpec("a", fixedGPUs(4))
	e.reconcile("a")
	e.editSpec("a", fixedGPUs(1))
	e.fail = func(w write) error {
		if w.kind == deploymentKind && w.verb != "take over" {
			return errors.New("no")
		}
		return nil
	}
	_, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key("a")})
	require.ErrorContains(t, err, "no")
	require.EqualValues(t, 4, e.lease("a").Status.Budget.Charged)
}

// TestBudgetAdjusts: a lease gets the largest maximum that fits, and the rest when another
// lease gives it up. It says which leases use the budget.
func TestBudgetAdjusts(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(6), newLease(t, "a", scaledGPUs(1, 4)), younger(t, "b", scaledGPUs(1, 5), 1), younger(t, "c", scaledGPUs(1, 1), 2))
	q := withQueue(e)
	e.reconcile("a")
	require.Equal(t, pollInterval, e.reconcile("b").RequeueAfter)
	const adjusted = "spec.autoscaling.replicas.maximum: asked 5, granted 2 (server.leases.budget.gpus: 4 of 6 GPUs are used by a (4))"
	require.Equal(t, "True Adjusted: "+adjusted, e.condition("b", v1alpha1.ConditionGranted))
	require.EqualValues(t, 2, e.autoscalerOf("b").Spec.MaxReplicas)
	require.Equal(t, "spec.autoscaling.replicas.maximum: asked 5, granted 2 (server.leases.budget.gpus)", e.autoscalerOf("b").Annotations["tms.triton-leases.dev/adjustments"])
	e.reconcile("c")
	require.Equal(t, "False Refused: spec.autoscaling.replicas.minimum: Forbidden: 1 GPUs (1 for each of 1 replicas) do not fit in the budget of the namespace, "+
		"server.leases.budget.gpus: 6 of 6 GPUs are used by a (4), b (2); ask for less, release a lease, or ask the administrator for a larger budget", e.condition("c", v1alpha1.ConditionGranted))
	require.Equal(t, &v1alpha1.Budget{GPUs: 6, Used: 6}, e.lease("c").Status.Budget)
	require.Empty(t, e.objects("tms-c"))
	q.queued()

	// The older lease gives up two GPUs: they are for b, and c does not get them first.
	e.editSpec("a", scaledGPUs(1, 2))
	e.reconcile("a")
	require.Equal(t, []string{"b"}, q.queued())
	e.reconcile("c")
	require.Contains(t, e.condition("c", v1alpha1.ConditionGranted), "6 of 6 GPUs are used by b (4), a (2)")
	e.reconcile("b")
	require.EqualValues(t, 4, e.autoscalerOf("b").Spec.MaxReplicas)

	// A lease that is gone leaves its GPUs to the others.
	q.queued()
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
	e.reconcile("a")
	require.Equal(t, []string{"b", "c"}, q.queued())
	e.reconcile("b")
	e.reconcile("c")
	require.Equal(t, "True Granted: the lease has what it asks for", e.condition("b", v1alpha1.ConditionGranted))
	require.Equal(t, "True Granted: the lease has what it asks for", e.condition("c", v1alpha1.ConditionGranted))
}

// TestBudgetShrinks: a budget that shrinks takes from the youngest lease. A lease with a
// minimum that does not fit is refused, but its minimum runs and is charged.
func TestBudgetShrinks(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(8), newLease(t, "a", fixedGPUs(4)), younger(t, "b", scaledGPUs(2, 4), 1))
	all := func(config string) {
		e.configuration = configuration(t, config)
		for range 3 {
			e.reconcile("a")
			e.reconcile("b")
		}
	}
	all(budgeted(8))
	all(budgeted(7))
	require.EqualValues(t, 3, e.autoscalerOf("b").Spec.MaxReplicas)
	all(budgeted(3))
	require.EqualValues(t, 1, *e.deploymentOf("a").Spec.Replicas)
	require.EqualValues(t, 2, e.autoscalerOf("b").Spec.MaxReplicas)
	require.Equal(t, "True Adjusted: spec.triton.replicas: asked 4, granted 1 (server.leases.budget.gpus: 2 of 3 GPUs are used by b (2))", e.condition("a", v1alpha1.ConditionGranted))
	all(budgeted(0))
	for name, charged := range map[string]int64{"a": 1, "b": 2} {
		require.Contains(t, e.condition(name, v1alpha1.ConditionGranted), "False Refused: ")
		require.Equal(t, &v1alpha1.Budget{Charged: charged, Used: 3}, e.lease(name).Status.Budget)
	}
	require.EqualValues(t, 1, *e.deploymentOf("a").Spec.Replicas)
	require.EqualValues(t, 2, e.autoscalerOf("b").Spec.MaxReplicas)
	all(scales)
	require.Nil(t, e.lease("a").Status.Budget)
	require.EqualValues(t, 4, *e.deploymentOf("a").Spec.Replicas)
}

// TestBudgetOfUpgrade: a lease that an earlier version granted holds what it has, also if
// its spec is refused now.
func TestBudgetOfUpgrade(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixedGPUs(4)), younger(t, "b", fixedGPUs(4), 1))
	for _, name := range []string{"a", "b"} {
		e.reconcile(name)
		lease := e.lease(name)
		lease.Status.Limits, lease.Status.Granted.GPUs, lease.Status.Granted.Replicas = nil, 0, 0
		require.NoError(t, e.cluster.Status().Update(t.Context(), lease))
	}
	e.editSpec("b", `{models: [{name: m, uri: /m}], image: forbidden, triton: {replicas: 4, resources: {limits: {nvidia.com/gpu: 1}}}}`)
	e.configuration = configuration(t, budgeted(6))
	for range 2 {
		e.reconcile("b")
		e.reconcile("a")
	}
	require.Equal(t, &v1alpha1.Budget{GPUs: 6, Charged: 4, Used: 6}, e.lease("a").Status.Budget)
	require.EqualValues(t, 2, e.lease("b").Status.Budget.Charged)
	require.EqualValues(t, 2, *e.deploymentOf("b").Spec.Replicas)
	require.Contains(t, e.condition("b", v1alpha1.ConditionGranted), "False Refused: spec.image")
}

// TestBudgetOfOthers: a lease of another installation and a lease that scales a target are
// not charged, and a lease that is being deleted is.
func TestBudgetOfOthers(t *testing.T) {
	t.Parallel()
	other, deleted := newLease(t, "other", fixedGPUs(9)), newLease(t, "deleted", fixedGPUs(2))
	other.Status = v1alpha1.TritonLeaseStatus{Installation: "other/tms", Budget: &v1alpha1.Budget{Charged: 9}}
	deleted.Status = v1alpha1.TritonLeaseStatus{Installation: "system/tms", Budget: &v1alpha1.Budget{Charged: 2}}
	deleted.DeletionTimestamp, deleted.Finalizers = new(metav1.NewTime(epoch)), []string{"example.com/keep"}
	e := newEnvironment(t, budgeted(4), other, deleted, newLease(t, "target", target), younger(t, "a", fixedGPUs(4), 1))
	e.reconcile("target")
	require.Nil(t, e.lease("target").Status.Budget)
	e.reconcile("a")
	require.Equal(t, &v1alpha1.Budget{GPUs: 4, Charged: 2, Used: 4}, e.lease("a").Status.Budget)
}

// TestBudgetUsed: the leases show what all of them use, at most every half minute.
func TestBudgetUsed(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(8), newLease(t, "a", fixedGPUs(1)), newLease(t, "b", fixedGPUs(2)))
	q := withQueue(e)
	e.reconcile("a")
	require.Equal(t, usedPeriod, e.reconcile("b").RequeueAfter, "a shows 1")
	require.Empty(t, q.queued())
	e.clock = e.clock.Add(usedPeriod)
	e.editSpec("b", fixedGPUs(3))
	e.reconcile("b")
	require.Equal(t, []string{"a"}, q.queued())
	e.reconcile("a")
	require.EqualValues(t, 4, e.lease("a").Status.Budget.Used)
}

// TestScaledByHand: users can scale the Deployment of a lease that names no replicas, as far
// as the budget allows.
func TestScaledByHand(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(3), newLease(t, "a", `{models: [{name: m, uri: /m}], triton: {resources: {limits: {nvidia.com/gpu: 1}}}}`))
	e.reconcile("a")
	scale := func(to int32) {
		deployment := e.deploymentOf("a")
		deployment.Spec.Replicas = &to
		e.update(deployment)
		e.reconcile("a")
		e.reconcile("a")
	}
	scale(2)
	require.EqualValues(t, 2, e.lease("a").Status.Budget.Charged)
	scale(5)
	require.EqualValues(t, 3, *e.deploymentOf("a").Spec.Replicas)
	require.Equal(t, "True Adjusted: spec.triton.replicas: asked 5, granted 3 (server.leases.budget.gpus: the budget is 3 GPUs)", e.condition("a", v1alpha1.ConditionGranted))
	e.configuration = configuration(t, budgeted(4))
	e.reconcile("a")
	require.EqualValues(t, 4, *e.deploymentOf("a").Spec.Replicas, "it still asks for 5")
	scale(0)
	require.EqualValues(t, 0, e.lease("a").Status.Budget.Charged)
	require.EqualValues(t, 0, *e.deploymentOf("a").Spec.Replicas)
}

// TestLaggingCache: a lease does not get GPUs that another lease got in a write that the
// cache does not show, also if an earlier leader made it.
func TestLaggingCache(t *testing.T) {
	t.Parallel()
	for _, newLeader := range []bool{false, true} {
		m := newModel(t, 1) // with a budget of 8 GPUs
		for _, name := range []string{"a", "b"} {
			lease := newLease(t, name, `{models: [{name: m, uri: /m}], triton: {replicas: 4, resources: {limits: {nvidia.com/gpu: 2}}}}`)
			lease.Namespace = "one"
			m.put(lease)
		}
		m.syncOne("TritonLease one/b")
		m.reconcileAll([]client.ObjectKey{{Namespace: "one", Name: "b"}})
		if newLeader {
			m.elect()
		}
		m.syncOne("TritonLease one/a")
		require.Nil(t, m.cache["TritonLease one/b"].(*v1alpha1.TritonLease).Status.Budget)
		m.reconcileAll([]client.ObjectKey{{Namespace: "one", Name: "a"}})
		require.EqualValues(t, 0, chargeOf(m.leases("one")[0]), "the new leader: %t", newLeader)
		require.EqualValues(t, 8, chargeOf(m.leases("one")[1]))
	}
}

// TestRaceForBudget: of many leases that are created and reconciled at once, as many get
// GPUs as the budget has, also if younger ones are reconciled before the cache shows older
// ones.
func TestRaceForBudget(t *testing.T) {
	t.Parallel()
	for range 20 {
		m := newModel(t, 3) // with a budget of 2 GPUs
		m.slow = time.Millisecond
		var group sync.WaitGroup
		for i := range 20 {
			lease := newLease(t, fmt.Sprint("lease-", 99-i), fixedGPUs(1))
			lease.Namespace = "one"
			m.put(lease)
		}
		stale := m.behind()
		for i, k := range stale {
			group.Go(func() {
				time.Sleep(time.Duration(len(stale)-i) * m.slow / 5) // the oldest last
				m.store.lock.Lock()
				m.sync(k)
				m.store.lock.Unlock()
				_, err := m.Reconcile(t.Context(), reconcile.Request{NamespacedName: keyOfLease(k)})
				assert.NoError(t, err)
			})
		}
		group.Wait()
		charged := int64(0)
		for _, object := range m.objects {
			if lease, ok := object.(*v1alpha1.TritonLease); ok {
				charged += chargeOf(lease)
			}
		}
		require.EqualValues(t, 2, charged)
	}
}

func keyOfLease(key string) client.ObjectKey {
	return client.ObjectKey{Namespace: "one", Name: strings.TrimPrefix(key, "TritonLease one/")}
}

// TestCrashBeforeStatus: if the leader dies after it applied the objects of a lease, and the
// lease no longer fits when the next one starts, the lease runs on and is charged.
func TestCrashBeforeStatus(t *testing.T) {
	t.Parallel()
	m := newModel(t, 1)
	lease := newLease(t, "a", `{models: [{name: m, uri: /m}], triton: {replicas: 4, resources: {limits: {nvidia.com/gpu: 2}}}}`)
	lease.Namespace = "two"
	m.put(lease)
	m.syncOne("TritonLease two/a")
	m.mortality.writes = 3 // the claim, the Deployment, the status
	m.reconcileAll([]client.ObjectKey{{Namespace: "two", Name: "a"}})
	require.EqualValues(t, 8, chargeOf(m.leases("two")[0]))
	m.configuration = configuration(t, modelConfigurations[5]) // no GPUs in this namespace
	m.reconciler.configuration = m.configuration
	m.rest()
	m.check()
	require.EqualValues(t, 2, chargeOf(m.leases("two")[0]), "one replica")
}
