package preview

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/schema"
)

var (
	Envelope  = envelope
	NewSchema = newSchema
)

// Stored returns an object as the API server would store it.
func Stored(value map[string]any) map[string]any {
	stored, _ := (&Manifest{value: value}).stored()
	return stored
}

// Lease returns the TritonLease of a manifest, and the reasons why it is refused.
func (m *Manifest) Lease(rules *schema.Schema) (*v1alpha1.TritonLease, field.ErrorList) {
	return m.lease(rules)
}
