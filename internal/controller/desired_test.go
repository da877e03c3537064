package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// deploymentKindOf returns the kind Deployment.
func deploymentKindOf(t *testing.T) *watchedKind {
	t.Helper()
	for _, k := range watchedKinds(t) {
		if k.Kind == deploymentKind {
			return k
		}
	}
	t.Fatal("there is no kind Deployment")
	return nil
}

// TestCompare: an object is compared with the manifest that was applied last and with
// the one to apply.
func TestCompare(t *testing.T) {
	t.Parallel()
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "ns", UID: types.UID("1")}}
	want, err := newDesired(deploymentKindOf(t), deployment(), lease)
	require.NoError(t, err)

	for name, test := range map[string]struct {
		change func(live *appsv1.Deployment)
		want   state
	}{
		"as applied":            {func(*appsv1.Deployment) {}, upToDate},
		"with defaults":         {func(live *appsv1.Deployment) { live.Spec.Template.Spec.DNSPolicy = corev1.DNSClusterFirst }, upToDate},
		"with fields of others": {func(live *appsv1.Deployment) { live.Labels["team"] = "vision"; live.Annotations["b"] = "c" }, upToDate},
		"with a status":         {func(live *appsv1.Deployment) { live.Status.Replicas = 3 }, upToDate},
		"with a second owner": {func(live *appsv1.Deployment) {
			live.OwnerReferences = append(live.OwnerReferences, metav1.OwnerReference{UID: "2"})
		}, upToDate},
		"with another image":  {func(live *appsv1.Deployment) { live.Spec.Template.Spec.Containers[0].Image = "other" }, drifted},
		"without a label":     {func(live *appsv1.Deployment) { delete(live.Labels, managedByLabel) }, drifted},
		"without its owner":   {func(live *appsv1.Deployment) { live.OwnerReferences = nil }, drifted},
		"without an argument": {func(live *appsv1.Deployment) { live.Spec.Template.Spec.Containers[0].Args = []string{"--a"} }, drifted},
		"with an added container": {func(live *appsv1.Deployment) {
			c := &live.Spec.Template.Spec
			c.Containers = append(c.Containers, corev1.Container{Name: "x"})
		}, drifted},
		"another manifest was applied": {func(live *appsv1.Deployment) { live.Annotations[appliedAnnotation] = "0" }, outdated},
		"never applied":                {func(live *appsv1.Deployment) { live.Annotations = nil }, outdated},
	} {
		t.Run(name, func(t *testing.T) {
			live := new(appsv1.Deployment)
			want.object.(*appsv1.Deployment).DeepCopyInto(live)
			live.TypeMeta = metav1.TypeMeta{} // as typed objects from the cache
			test.change(live)
			got, err := want.compare(live)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

// TestSetDigest: the digest depends on the content alone.
func TestSetDigest(t *testing.T) {
	t.Parallel()
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: types.UID("1")}}
	one, err := newDesired(deploymentKindOf(t), deployment(), lease)
	require.NoError(t, err)
	digest := one.digest
	require.NoError(t, one.setDigest())
	require.Equal(t, digest, one.digest)
	require.Equal(t, digest, one.object.GetAnnotations()[appliedAnnotation])
	content, err := one.content()
	require.NoError(t, err)
	require.NotContains(t, content.Object, "status")

	annotated := deployment()
	annotated.Annotations = map[string]string{"a": "b"}
	two, err := newDesired(deploymentKindOf(t), annotated, lease)
	require.NoError(t, err)
	require.NotEqual(t, digest, two.digest)
	require.Equal(t, "b", two.object.GetAnnotations()["a"])
}

// TestBelongsTo: which objects a lease may change.
func TestBelongsTo(t *testing.T) {
	t.Parallel()
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: types.UID("1")}}
	ours := map[string]string{managedByLabel: managedBy, v1alpha1.LeaseLabel: "a"}
	owned := func(by types.UID) []metav1.OwnerReference {
		return []metav1.OwnerReference{{UID: by, Controller: new(true), Kind: "TritonLease"}}
	}
	for name, test := range map[string]struct {
		object metav1.ObjectMeta
		want   bool
	}{
		"owned":                      {metav1.ObjectMeta{OwnerReferences: owned("1")}, true},
		"owned, with labels":         {metav1.ObjectMeta{OwnerReferences: owned("1"), Labels: ours}, true},
		"owned by an earlier lease":  {metav1.ObjectMeta{OwnerReferences: owned("0"), Labels: ours}, false},
		"an orphan":                  {metav1.ObjectMeta{Labels: ours}, true},
		"an orphan of another lease": {metav1.ObjectMeta{Labels: map[string]string{managedByLabel: managedBy, v1alpha1.LeaseLabel: "b"}}, false},
		"managed by Helm":            {metav1.ObjectMeta{Labels: map[string]string{managedByLabel: "Helm", v1alpha1.LeaseLabel: "a"}}, false},
		"without labels":             {metav1.ObjectMeta{}, false},
	} {
		require.Equal(t, test.want, belongsTo(&appsv1.Deployment{ObjectMeta: test.object}, lease), name)
	}
}
