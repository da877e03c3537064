package policy

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const allowedVolumes = "server.leases.allowedVolumes"

// checkVolumes refuses volumes of types that are not allowed. Each key of a volume except
// name is a type, even if its value is null.
func (b *LeaseBounds) checkVolumes(pod podRequest) field.ErrorList {
	var reasons field.ErrorList
	for volume := range pod.items("volumes") {
		for _, key := range slices.Sorted(maps.Keys(volume.value)) {
			if key != "name" && !slices.Contains(b.config.AllowedVolumes, key) {
				reasons = append(reasons, field.Forbidden(volume.path.Child(key), fmt.Sprintf(
					"a TritonLease may not have a volume of this type: it is not in %s; %s", allowedVolumes, AdministratorSets)))
			}
		}
	}
	return reasons
}
