package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/triton-leases/tms/api/v1alpha1"
)

func deployment() *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "tms-a", Namespace: "ns", Labels: map[string]string{managedByLabel: managedBy}},
		Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "triton", Image: "triton:1", Args: []string{"--a", "--b"}},
		}}}},
	}
}

// TestCompare: what is there is compared with what was applied and what should be.
func TestCompare(t *testing.T) {
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "ns", UID: types.UID("1")}}
	want, err := newDesired(kinds()[0], deployment(), lease)
	require.NoError(t, err)

	for name, test := range map[string]struct {
		change func(live *appsv1.Deployment)
		want   state
	}{
		"as it was applied":    {func(*appsv1.Deployment) {}, upToDate},
		"with defaults":        {func(live *appsv1.Deployment) { live.Spec.Template.Spec.DNSPolicy = corev1.DNSClusterFirst }, upToDate},
		"with what others add": {func(live *appsv1.Deployment) { live.Labels["team"] = "vision"; live.Annotations["b"] = "c" }, upToDate},
		"with a status":        {func(live *appsv1.Deployment) { live.Status.Replicas = 3 }, upToDate},
		"with another owner, too": {func(live *appsv1.Deployment) {
			live.OwnerReferences = append(live.OwnerReferences, metav1.OwnerReference{UID: "2"})
		}, upToDate},
		"with another image":  {func(live *appsv1.Deployment) { live.Spec.Template.Spec.Containers[0].Image = "other" }, drifted},
		"without a label":     {func(live *appsv1.Deployment) { delete(live.Labels, managedByLabel) }, drifted},
		"without its owner":   {func(live *appsv1.Deployment) { live.OwnerReferences = nil }, drifted},
		"without an argument": {func(live *appsv1.Deployment) { live.Spec.Template.Spec.Containers[0].Args = []string{"--a"} }, drifted},
		"with one container more": {func(live *appsv1.Deployment) {
			c := &live.Spec.Template.Spec
			c.Containers = append(c.Containers, corev1.Container{Name: "x"})
		}, drifted},
		"of something else":   {func(live *appsv1.Deployment) { live.Annotations[appliedAnnotation] = "0" }, outdated},
		"never applied by us": {func(live *appsv1.Deployment) { live.Annotations = nil }, outdated},
	} {
		t.Run(name, func(t *testing.T) {
			live := new(appsv1.Deployment)
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(want.object.DeepCopy().Object, live))
			live.TypeMeta = metav1.TypeMeta{} // which objects that are read from memory do not have
			test.change(live)
			got, err := want.compare(live)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

// TestSeal: the digest is that of what the object says, however often it is taken.
func TestSeal(t *testing.T) {
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: types.UID("1")}}
	one, err := newDesired(kinds()[0], deployment(), lease)
	require.NoError(t, err)
	digest := one.digest
	require.NoError(t, one.seal())
	require.Equal(t, digest, one.digest)
	require.Equal(t, digest, one.object.GetAnnotations()[appliedAnnotation])
	require.NotContains(t, one.object.Object, "status")

	annotated := deployment()
	annotated.Annotations = map[string]string{"a": "b"}
	two, err := newDesired(kinds()[0], annotated, lease)
	require.NoError(t, err)
	require.NotEqual(t, digest, two.digest)
	require.Equal(t, "b", two.object.GetAnnotations()["a"])
}

// TestBelongs: whose objects a lease may touch.
func TestBelongs(t *testing.T) {
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: types.UID("1")}}
	ours := map[string]string{managedByLabel: managedBy, leaseLabel: "a"}
	owned := func(by types.UID) []metav1.OwnerReference {
		return []metav1.OwnerReference{{UID: by, Controller: new(true), Kind: "TritonLease"}}
	}
	for name, test := range map[string]struct {
		object metav1.ObjectMeta
		want   bool
	}{
		"its own":                    {metav1.ObjectMeta{OwnerReferences: owned("1")}, true},
		"its own, with its labels":   {metav1.ObjectMeta{OwnerReferences: owned("1"), Labels: ours}, true},
		"of an earlier lease":        {metav1.ObjectMeta{OwnerReferences: owned("0"), Labels: ours}, false},
		"an orphan":                  {metav1.ObjectMeta{Labels: ours}, true},
		"an orphan of another lease": {metav1.ObjectMeta{Labels: map[string]string{managedByLabel: managedBy, leaseLabel: "b"}}, false},
		"that Helm manages":          {metav1.ObjectMeta{Labels: map[string]string{managedByLabel: "Helm", leaseLabel: "a"}}, false},
		"somebody else's":            {metav1.ObjectMeta{}, false},
	} {
		require.Equal(t, test.want, belongs(&appsv1.Deployment{ObjectMeta: test.object}, lease), name)
	}
}
