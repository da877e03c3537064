package preview

import (
	"encoding/json"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/schema"
)

// lease returns the TritonLease as the controller would read it, without the status and
// most of the metadata, which a preview does not need. If the manifest is refused, only
// the name and the namespace are set.
func (m *Manifest) lease(rules *schema.Schema) (*v1alpha1.TritonLease, field.ErrorList) {
	stored, refused := m.stored()
	refused = append(refused, rules.Validate(stored)...)
	metadata := subMap(stored, "metadata")
	lease := new(v1alpha1.TritonLease)
	lease.APIVersion, lease.Kind = v1alpha1.GroupVersion.String(), kind
	lease.Name, _ = metadata["name"].(string)
	lease.Namespace, _ = metadata["namespace"].(string)
	refused = append(refused, timeAt(metadata, "metadata", "creationTimestamp", &lease.CreationTimestamp)...)
	spec := subMap(stored, "spec")
	refused = append(refused, timeAt(spec, "spec", "renewTime", new(metav1.Time))...)
	refused = append(refused, timeAt(spec, "spec", "reloadTime", new(metav1.Time))...)
	refused = append(refused, timeAt(spec, "spec", "acquireBy", new(metav1.Time))...)
	if len(refused) > 0 {
		return lease, schema.Sort(refused)
	}
	text, err := json.Marshal(spec)
	if err == nil {
		err = json.Unmarshal(text, &lease.Spec)
	}
	if err != nil {
		return lease, field.ErrorList{field.InternalError(field.NewPath("spec"), err)}
	}
	return lease, nil
}

// stored returns the whole object as the API server would store it.
func (m *Manifest) stored() (map[string]any, field.ErrorList) {
	stored := map[string]any{}
	var refused field.ErrorList
	for key, value := range m.value {
		switch key {
		case "spec":
			value, refused = asStored(value, reflect.TypeFor[v1alpha1.TritonLeaseSpec](), fieldpath.New("spec"))
		case "metadata":
			value, _ = asStored(value, reflect.TypeFor[metav1.ObjectMeta](), nil)
		case "status":
			continue // only the controller writes it
		}
		if value != nil {
			stored[key] = value
		}
	}
	return stored, refused
}

// timeAt parses the time at a key into to, if it is a string: the schema refuses other
// types.
func timeAt(object map[string]any, path, key string, to *metav1.Time) field.ErrorList {
	text, isText := object[key].(string)
	if !isText {
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return field.ErrorList{field.Invalid(field.NewPath(path, key), text, "must be a time such as 2026-01-31T08:00:00Z")}
	}
	*to = metav1.NewTime(at)
	return nil
}
