package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestBudgetRollout: pods of an earlier spec may have more GPUs. They run until Kubernetes
// has replaced them, which is never if the new ones do not become ready. Their lease is
// charged for them until then.
func TestBudgetRollout(t *testing.T) {
	t.Parallel()
	const large, small = `{models: [{name: m, uri: /m}], triton: {replicas: 1, resources: {limits: {amd.com/gpu: 8}}}}`,
		`{models: [{name: m, uri: /m}], triton: {replicas: 1, args: [--broken]}}`
	e := newEnvironment(t, budgeted(8), newLease(t, "a", large), younger(t, "b", fixedGPUs(8), 1))
	status := func(s appsv1.DeploymentStatus, generation int64) {
		t.Helper()
		deployment := e.deploymentOf("a")
		before := deployment.DeepCopy()
		deployment.Generation = generation
		require.NoError(t, e.cluster.Patch(t.Context(), deployment, client.MergeFrom(before)))
		before = deployment.DeepCopy()
		deployment.Status = s
		require.NoError(t, e.cluster.Status().Patch(t.Context(), deployment, client.MergeFrom(before)))
	}
	charged := func(want int64) {
		t.Helper()
		e.reconcile("a")
		require.NotNil(t, e.lease("a").Status.Budget)
		require.Equal(t, want, e.lease("a").Status.Budget.Charged)
		e.reconcile("b")
		require.Equal(t, want == 0, len(e.lease("b").Status.Refusals) == 0)
	}
	charged(8)
	status(appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1}, 1)
	charged(8)

	e.editSpec("a", small)
	charged(8)
	status(appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1}, 2)
	charged(8)
	status(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 1}, 2)
	charged(8)

	e.editSpec("a", `{models: [{name: m, uri: /m}], triton: {command: [sh]}}`)
	charged(8)
	require.Equal(t, "False", string(e.lease("a").Status.Conditions[0].Status))
	status(appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1}, 2)
	e.reconcile("a")
	require.Zero(t, e.lease("a").Status.Budget.Charged)
	e.reconcile("b")
	require.Equal(t, "True Granted: the lease has what it asks for", e.condition("b", v1alpha1.ConditionGranted))
}

// TestKeptReplicasLimit: a lease that names no number of replicas does not keep more than
// the limit, whether users or its autoscaler scaled its Deployment.
func TestKeptReplicasLimit(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"no budget": scales, "budget": budgeted(100)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const scaled, keeps = `{models: [{name: m, uri: /m}], triton: {resources: {limits: {nvidia.com/gpu: 1}}}, autoscaling: {enable: true}}`,
				`{models: [{name: m, uri: /m}], triton: {resources: {limits: {nvidia.com/gpu: 1}}}}`
			e := newEnvironment(t, text, newLease(t, "a", scaled), newLease(t, "b", keeps))
			e.reconcile("a")
			e.reconcile("b")
			e.setReplicas("a", 30)
			e.setReplicas("b", 30)
			e.editSpec("a", keeps)
			for range 2 {
				e.reconcile("a")
				e.reconcile("b")
				require.LessOrEqual(t, e.replicas("a"), int32(10))
				require.EqualValues(t, 10, e.replicas("b"))
			}
			require.Equal(t, "True Adjusted: spec.triton.replicas: asked 30, granted 10 (server.leases.limits.replicas)", e.condition("b", v1alpha1.ConditionGranted))
		})
	}
}

// TestBudgetOrphans: a Deployment that outlives its lease is charged, also with what its
// autoscaler may add, until a lease of the name adopts it.
func TestBudgetOrphans(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(8), newLease(t, "a", scaledGPUs(1, 8)))
	e.reconcile("a")
	for _, object := range []client.Object{e.deploymentOf("a"), e.autoscalerOf("a")} {
		object.SetOwnerReferences(nil)
		e.update(object)
	}
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
	e.reconcile("a")
	require.NoError(t, e.cluster.Create(t.Context(), younger(t, "b", fixedGPUs(1), 1)))
	e.reconcile("b")
	require.Contains(t, e.condition("b", v1alpha1.ConditionGranted), "8 of 8 GPUs are used by a (8)")

	// The new lease has what it adopts before the older one.
	require.NoError(t, e.cluster.Create(t.Context(), younger(t, "a", fixedGPUs(7), 2)))
	e.reconcile("a")
	require.Equal(t, "True Granted: the lease has what it asks for", e.condition("a", v1alpha1.ConditionGranted))
	e.reconcile("a")
	require.EqualValues(t, 7, e.lease("a").Status.Budget.Charged)
	e.reconcile("b")
	require.Equal(t, "True Granted: the lease has what it asks for", e.condition("b", v1alpha1.ConditionGranted))
}

// TestBudgetRefusedByPolicy: a change of a charge does not enqueue leases that no budget can
// help.
func TestBudgetRefusedByPolicy(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(4), newLease(t, "a", fixedGPUs(4)), newLease(t, "b", `{models: [{name: m, uri: /m}], image: forbidden}`),
		younger(t, "c", fixedGPUs(2), 1))
	q := withQueue(e)
	for _, name := range []string{"a", "b", "c"} {
		e.reconcile(name)
	}
	q.queued()
	e.editSpec("a", fixedGPUs(1))
	e.reconcile("a")
	require.Equal(t, []string{"c"}, q.queued())
}

// TestWakeWithoutOldPods: a Deployment with 0 replicas that begins to scale starts no pod of
// its earlier template, for which its lease is not charged.
func TestWakeWithoutOldPods(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, budgeted(8), newLease(t, "a", fixedGPUs(0)))
	e.reconcile("a")
	e.written()
	e.editSpec("a", `{models: [{name: m, uri: /m}], autoscaling: {enable: true}}`)
	e.reconcile("a")
	writes := 0
	for _, w := range e.written() {
		if w == "apply Deployment tms-a" {
			writes++
		}
	}
	require.Equal(t, 1, writes)
	require.EqualValues(t, 1, e.replicas("a"))
}
