package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DuplicateTarget refuses a second lease of one workload of somebody else: two
// autoscalers would pull at it, and two rules record the same series. The path is
// where the lease stands; the other lease has the target, and is empty where nobody
// knows which of them is the older one.
func DuplicateTarget(path *field.Path, target, other string) *field.Error {
	duplicate := field.Duplicate(path.Child("target", "name"), target)
	if other != "" {
		duplicate.Detail = fmt.Sprintf("TritonLease %s scales it already", other)
	}
	return duplicate
}
