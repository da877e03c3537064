package controller

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"sync"

	"github.com/klauspost/compress/s2"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/leasepod"
)

// packedAnnotation has the content of an object of the cache as compressed JSON, without its
// status. As Go values it takes many times the memory, and the garbage collector follows each
// pointer. The annotation is never written to the API server. Its name is random, so that no
// client can create an object that seems to be packed.
var packedAnnotation = "tms.triton-leases.dev/packed-" + rand.Text()

// revisionAnnotation is an annotation with which Kubernetes counts the rollouts of a Deployment.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// keptLabels are the labels that identify the objects of leases, and names of leases.
var keptLabels = []string{managedByLabel, v1alpha1.LeaseLabel, instanceLabel, v1alpha1.NamedLeaseLabel, v1alpha1.ServerNamespaceLabel}

// pack packs an object of a lease. Of the spec it keeps only the numbers of replicas, and of
// the metadata what identifies the object.
func pack(object client.Object) error {
	annotations := object.GetAnnotations()
	if _, done := annotations[packedAnnotation]; done {
		return nil
	}
	text, err := json.Marshal(withoutStatus(object))
	if err != nil {
		return fmt.Errorf("pack %T %s: %w", object, object.GetName(), err)
	}
	switch object := object.(type) {
	case *unstructured.Unstructured:
		delete(object.Object, "spec")
	case *appsv1.Deployment:
		object.Spec = appsv1.DeploymentSpec{Replicas: object.Spec.Replicas}
	case *autoscalingv2.HorizontalPodAutoscaler:
		object.Spec = autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: object.Spec.MinReplicas, MaxReplicas: object.Spec.MaxReplicas}
	default:
		reflect.ValueOf(object).Elem().FieldByName("Spec").SetZero()
	}
	kept := map[string]string{packedAnnotation: string(sampleFor(object, text).Encode(nil, text))}
	if digest, applied := annotations[appliedAnnotation]; applied {
		kept[appliedAnnotation] = digest
	}
	object.SetAnnotations(kept)
	before, labels := object.GetLabels(), map[string]string{}
	for _, key := range keptLabels {
		if value, ok := before[key]; ok {
			labels[key] = value
		}
	}
	object.SetLabels(labels)
	return nil
}

// samples has the first packed object of each kind that a lease owns, and the first one that
// none owns. The objects of leases differ little from each other, so the compressed text of an
// object has little more than what differs from the sample.
var samples sync.Map // from the sampleKey to a *s2.Dict

// sampleKey returns the kind of an object, and whether a lease owns it.
func sampleKey(object metav1.Object) string {
	kind := reflect.TypeOf(object).String()
	if custom, ok := object.(*unstructured.Unstructured); ok {
		kind = custom.GetKind()
	}
	if owner := metav1.GetControllerOf(object); owner != nil && isLease(owner) {
		kind += " of a lease"
	}
	return kind
}

// sampleFor returns the sample with which to pack an object. It is the JSON of this object if
// there is none yet.
func sampleFor(object metav1.Object, text []byte) *s2.Dict {
	sample, ok := samples.Load(sampleKey(object))
	if !ok {
		sample, _ = samples.LoadOrStore(sampleKey(object), s2.MakeDict(text, nil))
	}
	return sample.(*s2.Dict)
}

// withoutStatus returns a shallow copy of an object without its status and what changes with
// the status.
func withoutStatus(object client.Object) client.Object {
	copied := shallowCopy(object)
	copied.SetManagedFields(nil)
	copied.SetResourceVersion("")
	copied.SetGeneration(0)
	if annotations := copied.GetAnnotations(); annotations[revisionAnnotation] != "" {
		annotations = maps.Clone(annotations)
		delete(annotations, revisionAnnotation)
		copied.SetAnnotations(annotations)
	}
	if custom, ok := copied.(*unstructured.Unstructured); ok {
		delete(custom.Object, "status")
		return custom
	}
	if status := reflect.ValueOf(copied).Elem().FieldByName("Status"); status.IsValid() {
		status.SetZero()
	}
	return copied
}

// shallowCopy returns a shallow copy of an object. The caller may change its metadata.
func shallowCopy(object client.Object) client.Object {
	if custom, ok := object.(*unstructured.Unstructured); ok {
		content := maps.Clone(custom.Object)
		if metadata, ok := content["metadata"].(map[string]any); ok {
			content["metadata"] = maps.Clone(metadata)
		}
		return &unstructured.Unstructured{Object: content}
	}
	copied := reflect.New(reflect.TypeOf(object).Elem())
	copied.Elem().Set(reflect.ValueOf(object).Elem())
	return copied.Interface().(client.Object)
}

// packedOf returns a text that changes with the content of an object. If the object is not
// packed, the text includes the status.
func packedOf(object metav1.Object) (string, error) {
	if packed, ok := object.GetAnnotations()[packedAnnotation]; ok {
		return packed, nil
	}
	text, err := json.Marshal(object)
	return string(text), err
}

// jsonOf returns the content of an object as JSON. If the object is not packed, it includes
// the status.
func jsonOf(object metav1.Object) ([]byte, error) {
	if packed, ok := object.GetAnnotations()[packedAnnotation]; ok {
		sample, ok := samples.Load(sampleKey(object))
		if !ok {
			return nil, fmt.Errorf("unpack %s: there is no sample of its kind", object.GetName())
		}
		return sample.(*s2.Dict).Decode(nil, []byte(packed))
	}
	return json.Marshal(object)
}

// contentOf returns the content of an object, packed or not. The status may be missing.
func contentOf(object metav1.Object) (map[string]any, error) {
	text, err := jsonOf(object)
	if err != nil {
		return nil, err
	}
	var content map[string]any
	return content, utiljson.Unmarshal(text, &content) // integers stay integers
}

// gpusOf returns the GPUs of each pod of a Deployment, packed or not.
func gpusOf(deployment *appsv1.Deployment) int64 {
	return leasepod.GPUs(podTemplateOf(deployment))
}

// podTemplateOf returns the template of the pods of a Deployment, packed or not.
func podTemplateOf(deployment *appsv1.Deployment) *corev1.PodTemplateSpec {
	if _, packed := deployment.Annotations[packedAnnotation]; !packed {
		return &deployment.Spec.Template
	}
	whole := new(appsv1.Deployment)
	text, err := jsonOf(deployment)
	if err == nil {
		err = json.Unmarshal(text, whole)
	}
	if err != nil { // impossible, because pack encoded it; a lease must not count as one without GPUs
		panic(fmt.Sprintf("unpack Deployment %s: %v", deployment.Name, err))
	}
	return &whole.Spec.Template
}
