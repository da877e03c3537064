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

// appliedAnnotation has a digest of the manifest that was applied last. It lets every
// replica of tms-server see that an object is up to date without writing it.
const appliedAnnotation = "tms.triton-leases.dev/applied"

// desired is an object as the lease should have it.
type desired struct {
	kind   *watchedKind
	owner  types.UID // of the lease; empty for a shared monitor
	object client.Object
	digest string
}

// newDesired returns a rendered object in the form that is applied: with the lease as its
// owner. The lease of a shared monitor is nil. It keeps the rendered object.
func newDesired(k *watchedKind, rendered client.Object, lease *v1alpha1.TritonLease) (*desired, error) {
	d := &desired{kind: k, object: rendered}
	if lease != nil {
		d.owner = lease.UID
		rendered.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(lease, v1alpha1.GroupVersion.WithKind("TritonLease"))})
	}
	return d, d.setDigest()
}

// setDigest sets the digest of the object, and its annotation.
func (d *desired) setDigest() error {
	annotations := d.object.GetAnnotations()
	delete(annotations, appliedAnnotation)
	text, err := json.Marshal(d.object) // sorts the keys of maps
	if err != nil {
		return fmt.Errorf("encode %s: %w", d.kind.Kind, err)
	}
	sum := sha256.Sum256(text)
	d.digest = hex.EncodeToString(sum[:8])
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[appliedAnnotation] = d.digest
	d.object.SetAnnotations(annotations)
	return nil
}

// content returns the object as it is applied: without the fields that the API server sets.
func (d *desired) content() (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(d.object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", d.kind.Kind, err)
	}
	unstructured.RemoveNestedField(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(d.kind.GroupVersionKind)
	return object, nil
}

// state is how a live object differs from the desired one.
type state int

const (
	upToDate state = iota
	outdated       // another manifest was applied last
	drifted        // this manifest was applied last, and another client changed the object
)

// compare returns the state of a live object.
func (d *desired) compare(live client.Object) (state, error) {
	if live.GetAnnotations()[appliedAnnotation] != d.digest {
		return outdated, nil
	}
	content, err := contentOf(live)
	if err != nil {
		return outdated, fmt.Errorf("decode %s: %w", d.kind.Kind, err)
	}
	wanted, err := d.content()
	if err != nil {
		return outdated, err
	}
	for _, key := range []string{"apiVersion", "kind"} { // typed objects from the cache do not have them
		delete(wanted.Object, key)
	}
	unstructured.RemoveNestedField(wanted.Object, "metadata", "ownerReferences") // there may be others beside ours
	unstructured.RemoveNestedField(wanted.Object, "metadata", "resourceVersion")
	if d.kind.Kind == scaledObjectKind && len(pausesOf(content)) > 0 {
		return drifted, nil
	}
	if d.owner != "" && !metav1.IsControlledBy(live, &metav1.ObjectMeta{UID: d.owner}) || !contains(content, wanted.Object) {
		return drifted, nil
	}
	return upToDate, nil
}

// contains reports whether a live value has everything that the wanted value has. It
// ignores what else the live value has, such as defaults and fields of other owners.
func contains(live, wanted any) bool {
	switch wanted := wanted.(type) {
	case map[string]any:
		live, _ := live.(map[string]any)
		for key, value := range wanted {
			if !contains(live[key], value) {
				return false
			}
		}
		return true
	case []any:
		live, _ := live.([]any)
		if len(live) != len(wanted) {
			return false
		}
		for i, value := range wanted {
			if !contains(live[i], value) {
				return false
			}
		}
		return true
	default:
		return live == wanted
	}
}
