package leasepod_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/triton-leases/tms/internal/leasepod"
	"github.com/triton-leases/tms/pkg/policy"
)

// TestRandomPods compares the number of GPUs of random pods with a count of each phase of a
// pod.
func TestRandomPods(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	refused := 0
	for range 2000 {
		pod, limit := randomPod(random), random.Int64N(6)
		bounds := boundsOf(t, policy.LeaseConfig{PodSecurityStandard: "privileged", Limits: policy.LimitsConfig{GPUs: limit}})
		verdict := leasepod.Judge(bounds, spec, &corev1.PodTemplateSpec{Spec: pod})
		require.Equal(t, gpusOf(pod), verdict.GPUs, "%v", pod)
		require.Equal(t, gpusOf(pod) > limit, len(verdict.Refused) > 0, "%v", verdict.Refused)
		refused += len(verdict.Refused)
	}
	require.Greater(t, refused, 300)
	require.Less(t, refused, 1700)
}

// randomPod returns a pod with containers, init containers and sidecars that have limits of
// GPUs or CPUs.
func randomPod(random *rand.Rand) corev1.PodSpec {
	var pod corev1.PodSpec
	container := func() corev1.Container {
		name := []corev1.ResourceName{"nvidia.com/gpu", "amd.com/gpu", "cpu"}[random.IntN(3)]
		limits := corev1.ResourceList{name: resource.MustParse(fmt.Sprint(random.IntN(3)))}
		return corev1.Container{Resources: corev1.ResourceRequirements{Limits: limits}}
	}
	for range 1 + random.IntN(2) {
		pod.Containers = append(pod.Containers, container())
	}
	for range random.IntN(4) {
		added := container()
		if always := corev1.ContainerRestartPolicyAlways; random.IntN(2) == 0 {
			added.RestartPolicy = &always
		}
		pod.InitContainers = append(pod.InitContainers, added)
	}
	return pod
}

// gpusOf returns the GPUs that the scheduler reserves for a pod: of each resource, the
// highest number that its containers have at one time.
func gpusOf(pod corev1.PodSpec) int64 {
	var all int64
	for _, name := range []corev1.ResourceName{"nvidia.com/gpu", "amd.com/gpu"} {
		of := func(c corev1.Container) int64 {
			quantity := c.Resources.Limits[name]
			return quantity.Value()
		}
		var sidecars, running, most int64
		for _, c := range pod.InitContainers {
			most = max(most, sidecars+of(c))
			if c.RestartPolicy != nil {
				sidecars += of(c)
			}
		}
		for _, c := range pod.Containers {
			running += of(c)
		}
		all += max(most, sidecars+running)
	}
	return all
}
