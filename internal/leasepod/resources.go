package leasepod

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	podresources "k8s.io/component-helpers/resource"

	"github.com/triton-leases/tms/pkg/policy"
)

// checkResources returns the number of GPUs of a pod, and refuses a pod that has more than
// the limits. The numbers are those of the scheduler: the sum of all containers, or the
// highest number of the init containers, if that is more.
func checkResources(bounds *policy.LeaseBounds, triton *field.Path, template *corev1.PodTemplateSpec) (int64, field.ErrorList) {
	most := highest(&template.Spec)
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

// highest returns the higher one of the request and the limit of each resource of a pod. A
// limit is also a request if the container has no request. A request can be higher than the
// sum of the limits, because containers may have no limit.
func highest(spec *corev1.PodSpec) corev1.ResourceList {
	pod := &corev1.Pod{Spec: *spec}
	var options podresources.PodResourcesOptions
	most := podresources.PodRequests(pod, options)
	for name, quantity := range podresources.PodLimits(pod, options) {
		if quantity.Cmp(most[name]) > 0 {
			most[name] = quantity
		}
	}
	return most
}

// GPUs returns the number of GPUs of a pod, as the scheduler counts them.
func GPUs(spec *corev1.PodSpec) int64 {
	gpus := sum(highest(spec), isGPU)
	return gpus.Value()
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

// isGPU reports whether a resource is a GPU, or a part of one, which counts as one. The
// ValidatingAdmissionPolicy of Deployments has the same rule in CEL.
func isGPU(name string) bool {
	return strings.Contains(strings.ToLower(name), "gpu") || strings.HasPrefix(name, "nvidia.com/mig-")
}

func isMemory(name string) bool {
	return name == string(corev1.ResourceMemory) || strings.HasPrefix(name, corev1.ResourceHugePagesPrefix)
}
