package leasepod

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	podresources "k8s.io/component-helpers/resource"

	"github.com/triton-leases/tms/pkg/policy"
)

// checkResources returns the number of GPUs of a pod, and refuses a pod that has more than
// the limits. The numbers are those of the scheduler: the sum of all containers, or the
// highest number of the init containers, if that is more.
func checkResources(bounds *policy.LeaseBounds, triton *field.Path, template *corev1.PodTemplateSpec) (int64, field.ErrorList) {
	most := resourcesOf(template)
	var reasons field.ErrorList
	exceeds := func(path *field.Path, total, limit resource.Quantity, key string) {
		if total.Cmp(limit) > 0 {
			reasons = append(reasons, field.Invalid(path, total.String(), fmt.Sprintf(
				"must not exceed server.leases.limits.%s (%s) in all containers of a pod together; %s", key, limit.String(), policy.AdministratorSets)))
		}
	}
	resources := triton.Child("resources")
	gpus := sum(most, isGPU)
	exceeds(resources.Child("limits"), gpus, *resource.NewQuantity(bounds.Limits().GPUs, resource.DecimalSI), "gpus")
	if limit := bounds.CPU(); limit != nil {
		exceeds(resources, most[corev1.ResourceCPU], *limit, "cpu")
	}
	if limit := bounds.Memory(); limit != nil {
		reasons = append(reasons, requireMemoryLimits(triton, &template.Spec)...)
		exceeds(resources.Child("limits", "memory"), sum(most, isMemory), *limit, "memory")
	}
	return gpus.Value(), reasons
}

// GPUs returns the number of GPUs of one pod.
func GPUs(template *corev1.PodTemplateSpec) int64 {
	gpus := sum(resourcesOf(template), isGPU)
	return gpus.Value()
}

// resourcesOf returns the most that a pod may have of each resource.
func resourcesOf(template *corev1.PodTemplateSpec) corev1.ResourceList {
	pod := &corev1.Pod{Spec: template.Spec}
	most := corev1.ResourceList{}
	// A limit is also a request if the container has no request. A request may be higher only
	// if there is no limit. Kubernetes before 1.34 drops the resources of the pod itself.
	for _, podLevel := range []bool{true, false} {
		options := podresources.PodResourcesOptions{SkipPodLevelResources: !podLevel}
		for _, list := range []corev1.ResourceList{podresources.PodRequests(pod, options), podresources.PodLimits(pod, options)} {
			for name, quantity := range list {
				if quantity.Cmp(most[name]) > 0 {
					most[name] = quantity
				}
			}
		}
	}
	return most
}

// requireMemoryLimits refuses containers that have no memory limit. Without one, a
// container can use all memory of its node.
func requireMemoryLimits(triton *field.Path, spec *corev1.PodSpec) field.ErrorList {
	if spec.Resources != nil && !spec.Resources.Limits.Memory().IsZero() {
		return nil
	}
	var reasons field.ErrorList
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for _, container := range containers {
			if container.Resources.Limits.Memory().IsZero() {
				reasons = append(reasons, field.Required(triton.Child("resources", "limits", "memory"), fmt.Sprintf(
					"the container %s needs a memory limit, because there is a server.leases.limits.memory", container.Name)))
			}
		}
	}
	return reasons
}

// sum returns the sum of the resources with names that match.
func sum(list corev1.ResourceList, matches func(name string) bool) resource.Quantity {
	var total resource.Quantity
	for name, quantity := range list {
		if matches(string(name)) {
			total.Add(quantity)
		}
	}
	return total
}

// isGPU reports whether a resource is a GPU, or a part of one, which counts as one. A device
// of a DeviceClass counts, whatever the name of the class. The ValidatingAdmissionPolicy of
// Deployments has the same rule in CEL.
func isGPU(name string) bool {
	return strings.Contains(strings.ToLower(name), "gpu") || strings.HasPrefix(name, "nvidia.com/mig-") ||
		strings.HasPrefix(name, resourcev1.ResourceDeviceClassPrefix)
}

func isMemory(name string) bool {
	return name == string(corev1.ResourceMemory) || strings.HasPrefix(name, corev1.ResourceHugePagesPrefix)
}
