package policy

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const allowedFields = "server.leases.allowedFields"

// checkFields refuses keys of a lease that no entry of server.leases.allowedFields covers.
// An entry allows a key and every key below it. In podTemplate, each value without keys below
// it needs an entry that covers it.
func (b *LeaseBounds) checkFields(path *field.Path, request LeaseRequest) field.ErrorList {
	var reasons field.ErrorList
	refuse := func(path *field.Path) {
		reasons = append(reasons, field.Forbidden(path, "a TritonLease may not set it: it is not in "+allowedFields+"; "+AdministratorSets))
	}
	for _, key := range slices.Sorted(maps.Keys(request.Triton)) {
		at := path.Child("triton", key)
		if key == "podTemplate" {
			leaves(at, []string{key}, request.Triton[key], func(at *field.Path, keys []string) {
				if !b.allowsField(keys) {
					refuse(at)
				}
			})
		} else if !b.allowsField([]string{key}) {
			refuse(at)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(request.Service)) {
		if !b.allowsField([]string{"service", key}) {
			refuse(path.Child("service", key))
		}
	}
	return reasons
}

// leaves calls visit with the path and the keys of each value that is not a map, or an empty
// map, in the order of the keys.
func leaves(path *field.Path, keys []string, value any, visit func(*field.Path, []string)) {
	object, _ := value.(map[string]any)
	if len(object) == 0 {
		visit(path, keys)
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		leaves(path.Child(key), append(keys[:len(keys):len(keys)], key), object[key], visit)
	}
}

// allowsField reports whether an entry of allowedFields covers a field.
func (b *LeaseBounds) allowsField(keys []string) bool {
	return slices.ContainsFunc(b.config.AllowedFields, func(entry string) bool {
		allowed := strings.Split(entry, ".")
		return len(allowed) <= len(keys) && slices.Equal(allowed, keys[:len(allowed)])
	})
}
