package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// deviceVariables are the variables by which a container asks the container runtimes of
// NVIDIA and AMD for devices of the node, whatever its resources are.
var deviceVariables = []string{"AMD_VISIBLE_DEVICES", "NVIDIA_IMEX_CHANNELS", "NVIDIA_VISIBLE_DEVICES"}

// checkVariables refuses variables that give a container more GPUs than its resources. A
// privileged container has all of them anyway.
func (b *LeaseBounds) checkVariables(pod podRequest) field.ErrorList {
	if b.config.PodSecurityStandard == standardPrivileged {
		return nil
	}
	var reasons field.ErrorList
	for _, container := range pod.containers {
		for variable := range itemsOf(container.path.Child("env"), container.value["env"]) {
			if name, _ := variable.value["name"].(string); slices.Contains(deviceVariables, name) {
				reasons = append(reasons, field.Forbidden(variable.path.Child("name"), fmt.Sprintf(
					"a TritonLease may not set %s, which can give the container GPUs that the limits and the budget do not count; ask for GPUs in triton.resources.limits", name)))
			}
		}
	}
	return reasons
}
