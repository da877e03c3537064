package render

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

const (
	// mostText and mostDepth are how many bytes a lease may say, and how deep in each
	// other. What is verbatim becomes YAML, which is as long as it is deep times wide:
	// without bounds 200 kB of JSON take gigabytes of memory.
	mostText  = 256 << 10
	mostDepth = 32
)

// tooLarge says what is too large in a lease to be looked at.
func tooLarge(lease *v1alpha1.TritonLease) policy.Refusal {
	text, err := json.Marshal(&lease.Spec)
	if err != nil {
		return policy.Refusal{field.InternalError(field.NewPath("spec"), err)}
	}
	if len(text) > mostText {
		return policy.Refusal{field.TooLong(field.NewPath("spec"), "", mostText)}
	}
	if depth(text) > mostDepth {
		return policy.Refusal{field.Forbidden(field.NewPath("spec"), fmt.Sprintf("must not be nested more than %d deep", mostDepth))}
	}
	return nil
}

// depth is how deep the maps and lists of a JSON text are in each other.
func depth(text []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}
