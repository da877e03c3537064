package policy

import (
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Refusal is every reason why a configuration or a request is refused, in the
// order in which they were found. Each names the path of the offending key.
type Refusal field.ErrorList

// Reasons returns the reasons in an error of this package, nil for any other error.
func Reasons(err error) Refusal {
	var reasons Refusal
	errors.As(err, &reasons)
	return reasons
}

// Error has one line for each reason.
func (r Refusal) Error() string {
	lines := make([]string, len(r))
	for i, reason := range r {
		lines[i] = reason.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes each reason visible to errors.Is and errors.As.
func (r Refusal) Unwrap() []error {
	reasons := make([]error, len(r))
	for i, reason := range r {
		reasons[i] = reason
	}
	return reasons
}

// Data returns the reasons in the form of a lease's status.
func (r Refusal) Data() []v1alpha1.Refusal {
	data := make([]v1alpha1.Refusal, len(r))
	for i, reason := range r {
		data[i] = v1alpha1.Refusal{Field: reason.Field, Reason: string(reason.Type), Message: reason.ErrorBody()}
	}
	return data
}
