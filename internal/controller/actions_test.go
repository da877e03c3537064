package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// newLease returns a lease in the namespace ns.
func newLease(t *testing.T, name, spec string) *v1alpha1.TritonLease {
	t.Helper()
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "ns", UID: types.UID("uid-" + name), Generation: 1, CreationTimestamp: metav1.NewTime(epoch),
	}}
	require.NoError(t, yaml.UnmarshalStrict([]byte(spec), &lease.Spec))
	return lease
}

func key(name string) client.ObjectKey { return client.ObjectKey{Namespace: "ns", Name: name} }

// reconcile reconciles a lease, which must not fail.
func (e *environment) reconcile(name string) reconcile.Result {
	e.t.Helper()
	result, err := e.Reconcile(e.t.Context(), reconcile.Request{NamespacedName: key(name)})
	require.NoError(e.t, err)
	return result
}

// lease reads a lease.
func (e *environment) lease(name string) *v1alpha1.TritonLease {
	e.t.Helper()
	return read(e, new(v1alpha1.TritonLease), name)
}

// autoscalerOf and deploymentOf read objects of a lease.
func (e *environment) autoscalerOf(lease string) *autoscalingv2.HorizontalPodAutoscaler {
	e.t.Helper()
	return read(e, new(autoscalingv2.HorizontalPodAutoscaler), "tms-"+lease)
}

func (e *environment) deploymentOf(lease string) *appsv1.Deployment {
	e.t.Helper()
	return read(e, new(appsv1.Deployment), "tms-"+lease)
}

func read[T client.Object](e *environment, object T, name string) T {
	e.t.Helper()
	require.NoError(e.t, e.cluster.Get(e.t.Context(), key(name), object))
	object.SetManagedFields(nil)
	return object
}

// absent requires that an object does not exist.
func (e *environment) absent(object client.Object, name string) {
	e.t.Helper()
	err := e.cluster.Get(e.t.Context(), key(name), object)
	require.True(e.t, apierrors.IsNotFound(err), "%T %s exists (%v)", object, name, err)
}

// edit changes the spec of a lease as a user does.
func (e *environment) edit(name string, change func(*v1alpha1.TritonLease)) {
	e.t.Helper()
	lease := e.lease(name)
	change(lease)
	lease.Generation++
	require.NoError(e.t, e.cluster.Update(e.t.Context(), lease))
}

// editSpec replaces the spec of a lease.
func (e *environment) editSpec(name, spec string) {
	e.t.Helper()
	e.edit(name, func(lease *v1alpha1.TritonLease) { lease.Spec = newLease(e.t, name, spec).Spec })
}

// update changes an object as another client does.
func (e *environment) update(object client.Object) {
	e.t.Helper()
	require.NoError(e.t, e.cluster.Update(e.t.Context(), object))
}

// written returns the writes since its last call, in order.
func (e *environment) written() []string {
	texts := make([]string, len(e.writes))
	for i, w := range e.writes {
		texts[i] = w.String()
	}
	e.writes = nil
	return texts
}

// objects returns the kinds of the objects that exist under a name.
func (e *environment) objects(name string) []string {
	e.t.Helper()
	kinds := []string{}
	for _, k := range e.kinds {
		err := e.cluster.Get(e.t.Context(), key(name), k.newObject())
		if !apierrors.IsNotFound(err) {
			require.NoError(e.t, err)
			kinds = append(kinds, k.Kind)
		}
	}
	return kinds
}

// condition returns a condition of a lease as one text.
func (e *environment) condition(name, conditionType string) string {
	e.t.Helper()
	return conditionText(&e.lease(name).Status, conditionType)
}

// notOfLease are the kinds that a lease has only if the administrator or the lease asks for
// them.
var notOfLease = []string{"NetworkPolicy", "HTTPRoute", "GRPCRoute", "PodDisruptionBudget", "ScaledObject"}
