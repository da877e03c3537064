package render

import (
	"encoding/json"
	"fmt"

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

// checkSize refuses a TritonLease that is too large to be validated.
func checkSize(lease *v1alpha1.TritonLease) policy.Refusal {
	spec := field.NewPath("spec")
	text, err := json.Marshal(&lease.Spec)
	switch {
	case err != nil:
		return policy.Refusal{field.InternalError(spec, err)}
	case len(text) > maxSpecBytes:
		return policy.Refusal{field.TooLong(spec, "", maxSpecBytes)}
	case depth(text) > maxSpecDepth:
		return policy.Refusal{field.Forbidden(spec, fmt.Sprintf("must not be nested more than %d deep", maxSpecDepth))}
	default:
		return nil
	}
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
