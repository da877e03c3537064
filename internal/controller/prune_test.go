package controller

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// setReplicas sets the replicas of the lease's Deployment as its autoscaler does.
func (e *environment) setReplicas(lease string, replicas int32) {
	e.t.Helper()
	deployment := e.deploymentOf(lease)
	deployment.Spec.Replicas = &replicas
	e.update(deployment)
}

func (e *environment) replicas(lease string) int32 {
	e.t.Helper()
	return *e.deploymentOf(lease).Spec.Replicas
}

// TestAutoscalingOffAndOn: if autoscaling is switched off, the autoscaler goes first and
// the Deployment keeps its replicas. If it is switched on again, it keeps them, too.
func TestAutoscalingOffAndOn(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	e.reconcile("a")
	for range 2 {
		e.setReplicas("a", 3)
		e.reconcile("a")
		require.EqualValues(t, 3, e.replicas("a"))
		e.written()
		e.recorded()

		e.editSpec("a", fixed)
		e.reconcile("a")
		require.Equal(t, []string{"Deployment", "Service"}, e.objects("tms-a"))
		require.EqualValues(t, 3, e.replicas("a"))
		writes := slices.DeleteFunc(e.written(), func(w string) bool { return strings.HasPrefix(w, "take over") })
		require.Equal(t, []string{"delete Background HorizontalPodAutoscaler tms-a", "apply Deployment tms-a"}, writes[:2])
		require.ElementsMatch(t, []string{"delete Background PodMonitor tms-a", "delete Background PrometheusRule tms-a", "update status TritonLease a"}, writes[len(writes)-3:])
		require.ElementsMatch(t, []string{
			"Normal Pruned: HorizontalPodAutoscaler tms-a is deleted: the lease no longer has one",
			"Normal Pruned: PodMonitor tms-a is deleted: the lease no longer has one",
			"Normal Pruned: PrometheusRule tms-a is deleted: the lease no longer has one",
		}, e.recorded())
		require.Contains(t, e.condition("a", v1alpha1.ConditionAutoscaling), "False NotAsked")
		e.reconcile("a")
		e.written()
		e.reconcile("a")
		require.Empty(t, e.written())

		e.editSpec("a", scaled)
		e.reconcile("a")
		require.EqualValues(t, 3, e.replicas("a"))
		require.Equal(t, []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}, e.objects("tms-a"))
		e.reconcile("a")
		e.written()
		e.reconcile("a")
		require.Empty(t, e.written())
	}
}

// TestReplicas: the replicas of a Deployment are set by the lease if it names a number,
// else by users. An autoscaler does not take over a Deployment without replicas.
func TestReplicas(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixed))
	e.reconcile("a")
	require.EqualValues(t, 1, e.replicas("a"), "the default")
	e.setReplicas("a", 3)
	e.reconcile("a")
	require.EqualValues(t, 3, e.replicas("a"), "a user scaled it")
	e.edit("a", func(lease *v1alpha1.TritonLease) { lease.Spec.Triton = &v1alpha1.Triton{Replicas: new(int64(0))} })
	e.reconcile("a")
	require.EqualValues(t, 0, e.replicas("a"), "the lease names a number")
	e.recorded()
	e.setReplicas("a", 2)
	e.reconcile("a")
	require.EqualValues(t, 0, e.replicas("a"))
	require.Equal(t, []string{"Warning Corrected: Deployment tms-a was changed by another client and is corrected"}, e.recorded())
	e.reconcile("a")
	require.Contains(t, e.condition("a", v1alpha1.ConditionReady), "False ScaledToZero")
	e.editSpec("a", scaled)
	e.reconcile("a")
	require.EqualValues(t, 1, e.replicas("a"), "an autoscaler ignores a Deployment without replicas")
}

// TestScaledMeanwhile: a user scales the Deployment between read and apply. The change
// is kept.
func TestScaledMeanwhile(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]struct{ before, after string }{
		"stays without autoscaler": {fixed, `{models: [{name: other, uri: s3://models/vision}]}`},
		"autoscaling goes":         {scaled, fixed},
		"autoscaling comes":        {fixed, scaled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", after.before))
			e.reconcile("a")
			e.setReplicas("a", 2)
			e.reconcile("a")
			e.editSpec("a", after.after)
			e.fail = func(w write) error {
				if w.verb == "apply" && w.kind == deploymentKind {
					e.fail = nil
					e.setReplicas("a", 5)
				}
				return nil
			}
			require.NotZero(t, e.reconcile("a").RequeueAfter)
			e.reconcile("a")
			require.EqualValues(t, 5, e.replicas("a"))
		})
	}
}

// TestStaleReplicas: if the autoscaler is pruned, the replicas are read from the API
// server, and not from the cache.
func TestStaleReplicas(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	e.reconcile("a")
	e.setReplicas("a", 2)
	e.editSpec("a", fixed)
	e.fail = func(w write) error {
		if w.kind == autoscalerKind { // after the cache was read
			e.setReplicas("a", 4)
		}
		return nil
	}
	require.Equal(t, 24*time.Hour, e.reconcile("a").RequeueAfter, "no write conflict")
	require.EqualValues(t, 4, e.replicas("a"))
}

// TestPruneFailures: an object that cannot be deleted is retried. One that is gone, or
// is being deleted, needs nothing.
func TestPruneFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind string
		err  error
		want string
	}{
		"autoscaler": {"HorizontalPodAutoscaler", errors.New("forbidden"), "delete HorizontalPodAutoscaler tms-a: forbidden"},
		"rule":       {"PrometheusRule", errors.New("forbidden"), "delete PrometheusRule tms-a: forbidden"},
		"gone":       {"PrometheusRule", apierrors.NewNotFound(schema.GroupResource{}, "tms-a"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, scales, newLease(t, "a", scaled))
			e.reconcile("a")
			e.editSpec("a", fixed)
			e.fail = func(w write) error {
				if w.verb == "delete Background" && w.kind == test.kind {
					return test.err
				}
				return nil
			}
			_, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key("a")})
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
			require.Equal(t, "False Failed: "+test.want, e.condition("a", v1alpha1.ConditionReady))
			e.fail = nil
			e.reconcile("a")
			require.Equal(t, []string{"Deployment", "Service"}, e.objects("tms-a"))
		})
	}
}

// TestRenamedObjects: an installation of another name that takes a lease over applies
// the objects under its own name, and prunes the others.
func TestRenamedObjects(t *testing.T) {
	t.Parallel()
	lease := newLease(t, "a", fixed)
	e := newEnvironment(t, scales, lease, owned(lease, &corev1.Service{}, "two-a"), owned(lease, &appsv1.Deployment{}, "two-a"))
	e.reconcile("a")
	require.Empty(t, e.objects("two-a"))
	require.Equal(t, []string{"Deployment", "Service"}, e.objects("tms-a"))
}

// TestDeletion: a lease that is being deleted while another controller holds a finalizer
// loses its objects. They stay if the user asked to orphan them.
func TestDeletion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		finalizers []string
		want       []string
		writes     int
	}{
		"finalizer of another controller": {[]string{"example.com/keep"}, []string{}, 6},
		"orphan":                          {[]string{"example.com/keep", metav1.FinalizerOrphanDependents}, []string{"Deployment", "Service", "PodMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lease := newLease(t, "a", scaled)
			lease.Finalizers = test.finalizers
			e := newEnvironment(t, scales, lease)
			e.reconcile("a")
			require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
			e.written()
			require.Zero(t, e.reconcile("a"))
			require.Equal(t, test.want, e.objects("tms-a"))
			require.Len(t, e.written(), test.writes, "the status of a lease that is being deleted is not written")
		})
	}
}

// TestDeletionFails: the deletion of the objects is retried.
func TestDeletionFails(t *testing.T) {
	t.Parallel()
	lease := newLease(t, "a", fixed)
	lease.Finalizers = []string{"example.com/keep"}
	e := newEnvironment(t, scales, lease)
	e.reconcile("a")
	require.NoError(t, e.cluster.Delete(t.Context(), e.lease("a")))
	e.fail = func(write) error { return errors.New("forbidden") }
	_, err := e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key("a")})
	require.ErrorContains(t, err, "tms-a: forbidden")
	working := e.Client
	e.Client = &failingReader{Client: working, fail: "owned", err: errors.New("no connection")}
	_, err = e.Reconcile(t.Context(), reconcile.Request{NamespacedName: key("a")})
	require.ErrorContains(t, err, "no connection")
}

// TestBeingDeleted: an object that is being deleted is not deleted again.
func TestBeingDeleted(t *testing.T) {
	t.Parallel()
	lease := newLease(t, "a", fixed)
	autoscaler := owned(lease, &autoscalingv2.HorizontalPodAutoscaler{}, "tms-a")
	autoscaler.DeletionTimestamp, autoscaler.Finalizers = new(metav1.NewTime(epoch)), []string{"example.com/keep"}
	e := newEnvironment(t, scales, lease, client.Object(autoscaler))
	e.reconcile("a")
	require.NotContains(t, e.written(), "delete Background HorizontalPodAutoscaler tms-a")
}
