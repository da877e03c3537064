package policy

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// ModelWarnings returns a warning for each model with a URI that ends in the name of the
// model. Triton wants the model repository, which is the folder above that of the model. It
// is no error: a repository can have the name of one of its models.
func ModelWarnings(lease *field.Path, models []v1alpha1.Model, repositories ModelRepositories) []v1alpha1.Warning {
	var warnings []v1alpha1.Warning
	for i, model := range models {
		above, ends := strings.CutSuffix(strings.TrimSuffix(model.URI, "/"), "/"+model.Name)
		if !ends || above == "" || strings.HasSuffix(above, "/") || repositories.Resolve(model.URI).isFile() {
			continue // a bucket, a claim or a folder of the root has no folder above it
		}
		warnings = append(warnings, warning(lease.Child("models").Index(i).Child("uri"), fmt.Sprintf(
			"%q ends in the name of the model, but must be the model repository, which contains the folder of the model: if it is the folder of the model, set %q",
			model.URI, above)))
	}
	return warnings
}
