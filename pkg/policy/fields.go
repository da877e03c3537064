package policy

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// CheckFields refuses keys of spec.triton that a TritonLease may not set.
func (b *LeaseBounds) CheckFields(path *field.Path, triton map[string]any) field.ErrorList {
	var reasons field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(triton)) {
		if !slices.Contains(b.config.AllowedFields, key) {
			reasons = append(reasons, field.Forbidden(path.Child(key),
				"a TritonLease may not set this key; an administrator can allow it with server.leases.allowedFields"))
		}
	}
	return reasons
}
