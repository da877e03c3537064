package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// appliedAnnotation tells what was applied last, so that nothing is applied twice,
// also not by another process. It is a digest of the manifest.
const appliedAnnotation = "tms.triton-leases.dev/applied"

// desired is an object as the lease should have it.
type desired struct {
	kind   *kind
	owner  types.UID
	object *unstructured.Unstructured
	digest string
}

// newDesired returns a rendered object as it is applied: owned by the lease, and
// without what is not the manifest's to say.
func newDesired(k *kind, rendered client.Object, lease *v1alpha1.TritonLease) (*desired, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(rendered)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", k.Kind, err)
	}
	d := &desired{kind: k, owner: lease.UID, object: &unstructured.Unstructured{Object: content}}
	unstructured.RemoveNestedField(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	d.object.SetGroupVersionKind(k.GroupVersionKind)
	d.object.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(lease, v1alpha1.GroupVersion.WithKind("TritonLease"))})
	return d, d.seal()
}

// seal writes down what the object says.
func (d *desired) seal() error {
	unstructured.RemoveNestedField(d.object.Object, "metadata", "annotations", appliedAnnotation)
	text, err := json.Marshal(d.object.Object) // with sorted keys
	if err != nil {
		return fmt.Errorf("encode %s: %w", d.kind.Kind, err)
	}
	sum := sha256.Sum256(text)
	d.digest = hex.EncodeToString(sum[:8])
	return unstructured.SetNestedField(d.object.Object, d.digest, "metadata", "annotations", appliedAnnotation)
}

// state is how an object that there is compares with what it should be.
type state int

const (
	upToDate state = iota
	outdated       // something else should be there now
	drifted        // somebody changed what was applied
)

// compare says what is to be done about an object.
func (d *desired) compare(live client.Object) (state, error) {
	if live.GetAnnotations()[appliedAnnotation] != d.digest {
		return outdated, nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return outdated, fmt.Errorf("decode %s: %w", d.kind.Kind, err)
	}
	wanted := d.object.DeepCopy().Object
	for _, key := range []string{"apiVersion", "kind"} { // which objects that are read do not always have
		delete(wanted, key)
	}
	unstructured.RemoveNestedField(wanted, "metadata", "ownerReferences") // there may be others beside ours
	if !metav1.IsControlledBy(live, &metav1.ObjectMeta{UID: d.owner}) || !contains(content, wanted) {
		return drifted, nil
	}
	return upToDate, nil
}

// contains says whether a value has all that another one says. What is there beside
// it, such as defaults and what others own, is not looked at.
func contains(has, wanted any) bool {
	switch wanted := wanted.(type) {
	case map[string]any:
		has, _ := has.(map[string]any)
		for key, value := range wanted {
			if !contains(has[key], value) {
				return false
			}
		}
		return true
	case []any:
		has, _ := has.([]any)
		if len(has) != len(wanted) {
			return false
		}
		for i, value := range wanted {
			if !contains(has[i], value) {
				return false
			}
		}
		return true
	default:
		return has == wanted
	}
}
