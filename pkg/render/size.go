package render

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

const (
	// maxSpecBytes and maxSpecDepth limit the spec of a TritonLease. Fields that are copied
	// to the manifests become YAML, which indents each line by its depth: without limits,
	// 200 kB of JSON can become gigabytes.
	maxSpecBytes = 256 << 10
	maxSpecDepth = 32
)

// The reasons why a TritonLease is too large to be validated.
const (
	tooLong = "length"
	tooDeep = "depth"
)

// droppedAnnotation is on leases in caches only. Its value is the reason why DropOversize
// dropped parts of the spec.
const droppedAnnotation = "tms.triton-leases.dev/dropped"

// checkSize refuses a TritonLease that is too large to be validated.
func checkSize(lease *v1alpha1.TritonLease) policy.Refusal {
	spec := field.NewPath("spec")
	reason, err := lease.Annotations[droppedAnnotation], error(nil)
	if reason == "" {
		reason, err = oversize(lease)
	}
	switch {
	case err != nil:
		return policy.Refusal{field.InternalError(spec, err)}
	case reason == tooLong:
		return policy.Refusal{field.TooLong(spec, "", maxSpecBytes)}
	case reason == tooDeep:
		return policy.Refusal{field.Forbidden(spec, fmt.Sprintf("must not be nested more than %d deep", maxSpecDepth))}
	default:
		return nil
	}
}

// oversize returns why a TritonLease is too large, or "".
func oversize(lease *v1alpha1.TritonLease) (reason string, err error) {
	text, err := json.Marshal(&lease.Spec)
	switch {
	case err != nil:
		return "", err
	case len(text) > maxSpecBytes:
		return tooLong, nil
	case depth(text) > maxSpecDepth:
		return tooDeep, nil
	default:
		return "", nil
	}
}

// DropOversize drops the large parts of a TritonLease that is refused for its size, so that
// a cache does not hold them. GrantTritonLease refuses what is left with the same message.
// The term and the target stay: a lease that was granted before keeps them. A lease without
// its spec must not be written to the API server, except its status.
func DropOversize(lease *v1alpha1.TritonLease) {
	delete(lease.Annotations, droppedAnnotation) // only this function sets it
	reason, err := oversize(lease)
	if err != nil || reason == "" {
		return
	}
	const maxKept = 16 << 10 // bytes
	if target, err := json.Marshal(lease.Spec.Target); err != nil || len(target) > maxKept {
		lease.Spec.Target = nil
	}
	if duration := lease.Spec.Duration; duration != nil && len(*duration) > maxKept {
		lease.Spec.Duration = nil
	}
	lease.Spec.LeaseSpec = v1alpha1.LeaseSpec{
		Target: lease.Spec.Target, Autoscaling: v1alpha1.Autoscaling{Enable: lease.Spec.Autoscaling.Enable},
	}
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, droppedAnnotation, reason)
}

// depth returns how deep the maps and lists of a JSON text are nested.
func depth(text []byte) int {
	deepest, current, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			current++
			deepest = max(deepest, current)
		case c == '}' || c == ']':
			current--
		}
	}
	return deepest
}
