package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DuplicateTarget refuses a second lease of one target: two autoscalers would conflict,
// and two rules would record the same series. The path is that of the lease. The other
// lease has the target; it is empty if both leases are in one values file.
func DuplicateTarget(path *field.Path, target, other string) *field.Error {
	duplicate := field.Duplicate(path.Child("target", "name"), target)
	if other != "" {
		duplicate.Detail = fmt.Sprintf("TritonLease %s scales it already", other)
	}
	return duplicate
}
