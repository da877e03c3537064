package controller

import (
	"crypto/rand"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// TestPack checks that a packed object has its whole content but the status, and what the
// controller reads of it.
func TestPack(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", `{models: [{name: m, uri: /m}], triton: {resources: {limits: {nvidia.com/gpu: 2}}}, autoscaling: {enable: true, replicas: {maximum: 4}}}`))
	e.reconcile("a")
	e.setReplicas("a", 3)
	packed := 0
	for _, k := range e.kinds {
		list := k.newList()
		require.NoError(t, e.cluster.List(t.Context(), list))
		require.NoError(t, meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			whole, err := contentOf(withoutStatus(object))
			require.NoError(t, err)
			for range 2 { // the second time changes nothing
				_, err := trim(object)
				require.NoError(t, err)
			}
			content, err := contentOf(object)
			require.NoError(t, err)
			require.Equal(t, whole, content)
			require.Equal(t, "a", object.GetLabels()[v1alpha1.LeaseLabel])
			require.Len(t, object.GetLabels(), 3)
			require.NotEmpty(t, object.GetAnnotations()[appliedAnnotation])
			text, err := json.Marshal(object)
			require.NoError(t, err)
			require.NotContains(t, string(text), `"selector":{"`)
			if deployment, ok := object.(*appsv1.Deployment); ok {
				require.EqualValues(t, 3, *deployment.Spec.Replicas)
				require.EqualValues(t, 2, gpusOf(deployment))
				require.Empty(t, deployment.Spec.Template.Spec.Containers)
			}
			packed++
			return nil
		}))
	}
	require.Equal(t, 6, packed)
}

// TestPackedSize checks that the packed objects of a lease are little more than what differs
// from the sample, also if others exist before the first lease, and that nothing is lost.
func TestPackedSize(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled), newLease(t, "b", scaled))
	for _, foreign := range []client.Object{new(appsv1.Deployment), new(autoscalingv2.HorizontalPodAutoscaler), new(corev1.Service)} {
		require.NoError(t, pack(foreign))
	}
	for _, lease := range []string{"a", "b"} {
		e.reconcile(lease)
		for _, k := range e.kinds {
			list := k.newList()
			require.NoError(t, e.cluster.List(t.Context(), list, client.MatchingLabels{v1alpha1.LeaseLabel: lease}))
			require.NoError(t, meta.EachListItem(list, func(item runtime.Object) error {
				object := item.(client.Object)
				text, err := json.Marshal(withoutStatus(object))
				require.NoError(t, err)
				whole, err := contentOf(withoutStatus(object))
				require.NoError(t, err)
				require.NoError(t, pack(object))
				content, err := contentOf(object)
				require.NoError(t, err)
				require.Equal(t, whole, content)
				packed, err := packedOf(object)
				require.NoError(t, err)
				require.Less(t, len(packed), len(text)/4, "%s of lease %s", k.Kind, lease)
				t.Logf("%s %s: %d bytes of %d", lease, k.Kind, len(packed), len(text))
				return nil
			}))
		}
	}
}

// TestForgedPack checks that the annotation of a packed object cannot be written by others.
func TestForgedPack(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", scaled))
	e.reconcile("a")
	deployment := e.deploymentOf("a")
	const name = "tms.triton-leases.dev/packed"
	require.Len(t, packedAnnotation, len(name+"-")+len(rand.Text()), "others cannot guess it")
	deployment.Annotations[name] = "forged"
	_, err := trim(deployment)
	require.NoError(t, err)
	content, err := contentOf(deployment)
	require.NoError(t, err)
	require.Contains(t, content, "spec")
}
