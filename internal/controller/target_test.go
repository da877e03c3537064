package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// TestTarget: a lease on an existing workload scales it, and runs nothing.
func TestTarget(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", target), labelled("triton"))
	e.reconcile("a")
	require.Equal(t, []string{"PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
	require.Equal(t, "triton", e.autoscalerOf("a").Spec.ScaleTargetRef.Name)
	require.Contains(t, e.condition("a", v1alpha1.ConditionReady), "Unknown Target")
	require.Empty(t, e.lease("a").Status.Address)

	// The lease runs Triton itself, and then scales the target again.
	e.editSpec("a", scaled)
	e.reconcile("a")
	require.Equal(t, "tms-a.ns.svc", e.lease("a").Status.Address)
	require.Equal(t, "tms-a", e.autoscalerOf("a").Spec.ScaleTargetRef.Name)
	e.editSpec("a", target)
	e.reconcile("a")
	require.Equal(t, []string{"PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
	require.Empty(t, e.lease("a").Status.Address)
}

// TestTwoLeasesOfOneTarget: the younger of two leases with the same target is refused
// until the older is gone, or no longer scales it.
func TestTwoLeasesOfOneTarget(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		age  time.Duration // by which b is younger than a
		free func(*environment)
	}{
		"older is deleted":       {time.Second, func(e *environment) { require.NoError(e.t, e.cluster.Delete(e.t.Context(), e.lease("a"))) }},
		"same age":               {0, func(e *environment) { require.NoError(e.t, e.cluster.Delete(e.t.Context(), e.lease("a"))) }},
		"older stops scaling":    {time.Second, func(e *environment) { e.edit("a", func(l *v1alpha1.TritonLease) { l.Spec.Autoscaling.Enable = false }) }},
		"older has other target": {time.Second, func(e *environment) { e.edit("a", func(l *v1alpha1.TritonLease) { l.Spec.Target.Name = "other" }) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			younger := newLease(t, "b", target)
			younger.CreationTimestamp = metav1.NewTime(epoch.Add(test.age))
			elsewhere := newLease(t, "c", target)
			elsewhere.Namespace = "other"
			elsewhere.CreationTimestamp = metav1.NewTime(epoch.Add(-time.Hour))
			e := newEnvironment(t, scales, younger, newLease(t, "a", target), elsewhere, labelled("triton"))
			e.reconcile("a")
			require.Contains(t, e.condition("a", v1alpha1.ConditionGranted), "True Granted")
			require.Equal(t, pollInterval, e.reconcile("b").RequeueAfter)
			require.Equal(t, []v1alpha1.Refusal{{Field: "spec.target.name", Reason: "FieldValueDuplicate", Message: `Duplicate value: "triton": TritonLease a scales it already`}}, e.lease("b").Status.Refusals)
			require.Empty(t, e.objects("tms-b"))
			test.free(e)
			e.reconcile("b")
			require.Contains(t, e.condition("b", v1alpha1.ConditionGranted), "True Granted")
			require.NotEmpty(t, e.objects("tms-b"))
		})
	}
}

// TestTargetIsTaken: a lease that scales a target loses its autoscaler if an older lease
// changes to the same target.
func TestTargetIsTaken(t *testing.T) {
	t.Parallel()
	younger := newLease(t, "b", target)
	younger.CreationTimestamp = metav1.NewTime(epoch.Add(time.Second))
	e := newEnvironment(t, scales, younger, newLease(t, "a", fixed), labelled("triton"))
	e.reconcile("b")
	require.Contains(t, e.objects("tms-b"), "HorizontalPodAutoscaler")
	e.editSpec("a", target)
	e.recorded()
	e.reconcile("b")
	require.NotContains(t, e.objects("tms-b"), "HorizontalPodAutoscaler")
	require.False(t, e.lease("b").Status.Granted.Autoscaled)
	require.Contains(t, e.condition("b", v1alpha1.ConditionAutoscaling), "False Refused")
	require.Contains(t, e.recorded(), "Normal Pruned: HorizontalPodAutoscaler tms-b is deleted: the lease no longer has one")
}

// TestTargetOfLease: a Deployment that a lease owns is no target. Any other may be.
func TestTargetOfLease(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixed),
		newLease(t, "parasite", `{target: {name: tms-a, selector: {app: triton}}, autoscaling: {enable: true}}`),
		newLease(t, "stateful", `{target: {kind: StatefulSet, name: tms-a, selector: {app: triton}}, autoscaling: {enable: true}}`),
		newLease(t, "other", `{target: {name: other, selector: {app: triton}}, autoscaling: {enable: true}}`),
		labelled("other"), &appsv1.StatefulSet{ObjectMeta: labelled("tms-a").ObjectMeta})
	for _, name := range []string{"a", "stateful", "other"} {
		e.reconcile(name)
		require.Contains(t, e.condition(name, v1alpha1.ConditionGranted), "True Granted")
	}
	require.Equal(t, pollInterval, e.reconcile("parasite").RequeueAfter)
	require.Equal(t, "False Refused: spec.target.name: Forbidden: this Deployment belongs to TritonLease a, which scales it itself", e.condition("parasite", v1alpha1.ConditionGranted))
}

// labelled returns a Deployment that leases may scale.
func labelled(name string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "ns", Labels: map[string]string{policy.TargetLabel: "true"},
	}}
}

// TestTargetLabel: a lease may scale, or only measure, a workload only with its label. It is
// granted soon after the workload gets the label.
func TestTargetLabel(t *testing.T) {
	t.Parallel()
	const lacks = `False Refused: spec.target.name: Forbidden: Deployment triton must have the label tms.triton-leases.dev/target: "true", which lets leases scale it (server.leases.allowedTargets is Labelled): to set it: kubectl label deployment/triton tms.triton-leases.dev/target=true -n ns`
	const unreadable = ", so the label tms.triton-leases.dev/target cannot be read (server.leases.allowedTargets is Labelled)"
	for name, test := range map[string]struct {
		spec   string
		labels map[string]string // nil if there is no workload
		err    error
		want   string
	}{
		"no label":       {target, map[string]string{}, nil, lacks},
		"other value":    {target, map[string]string{policy.TargetLabel: "false"}, nil, lacks},
		"not autoscaled": {`{target: {name: triton, selector: {app: triton}}}`, map[string]string{}, nil, lacks},
		"not there":      {target, nil, nil, "False Refused: spec.target.name: Forbidden: Deployment triton does not exist" + unreadable},
		"unknown kind": {
			target, nil, &meta.NoKindMatchError{}, "False Refused: spec.target.name: Forbidden: the cluster has no kind Deployment of apps/v1" + unreadable,
		},
		"no right": {
			target, nil, apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "triton", errors.New(`tms-server cannot get resource "deployments"`)),
			`False Refused: spec.target.name: Forbidden: tms-server may not read it: deployments.apps "triton" is forbidden: tms-server cannot get resource "deployments"` + unreadable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", test.spec))
			workload := labelled("triton")
			if test.labels != nil {
				workload.Labels = test.labels
				require.NoError(t, e.cluster.Create(t.Context(), workload))
			}
			readable := e.live
			if test.err != nil {
				e.live = &failingReader{Client: e.cluster, fail: "live", err: test.err}
			}
			require.Equal(t, pollInterval, e.reconcile("a").RequeueAfter)
			require.Equal(t, test.want, e.condition("a", v1alpha1.ConditionGranted))
			require.Empty(t, e.objects("tms-a"))

			e.live = readable
			if test.labels == nil {
				require.NoError(t, e.cluster.Create(t.Context(), workload))
			} else {
				workload.Labels = labelled("triton").Labels
				require.NoError(t, e.cluster.Update(t.Context(), workload))
			}
			e.reconcile("a")
			require.Contains(t, e.condition("a", v1alpha1.ConditionGranted), "True Granted")

			// A lease that scales already keeps its autoscaler, within the bounds.
			workload.Labels = nil
			require.NoError(t, e.cluster.Update(t.Context(), workload))
			before := e.objects("tms-a")
			e.reconcile("a")
			require.Equal(t, lacks, e.condition("a", v1alpha1.ConditionGranted))
			require.Equal(t, before, e.objects("tms-a"))
		})
	}
}

// TestAllTargets: the administrator can allow all targets. The workload is not read.
func TestAllTargets(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, `server: {leases: {allowedTargets: All}, autoscaling: {enable: true, metrics: {queueTime: {enabled: true, allowed: true}}}}`, newLease(t, "a", target))
	e.live = &failingReader{Client: e.cluster, fail: "label", err: errors.New("no connection")}
	e.reconcile("a")
	require.Contains(t, e.condition("a", v1alpha1.ConditionGranted), "True Granted")
}

// TestIndexes: leases are found by target, and objects by the lease that owns them.
func TestIndexes(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"apps Deployment triton"}, indexTarget(newLease(t, "a", target)))
	require.Empty(t, indexTarget(newLease(t, "a", scaled)))
	require.Empty(t, indexTarget(newLease(t, "a", `{target: {name: triton, selector: {app: triton}}}`)))
	require.Empty(t, indexTarget(new(appsv1.Deployment)))
	lease := newLease(t, "a", fixed)
	deployment := owned(lease, &appsv1.Deployment{}, "tms-a")
	require.Equal(t, []string{"uid-a"}, indexOwner(deployment))
	deployment.OwnerReferences[0].APIVersion = "example.com/v1"
	require.Empty(t, indexOwner(deployment))
	deployment.OwnerReferences[0].Controller = nil
	require.Equal(t, []string{noOwner}, indexOwner(deployment))
}
