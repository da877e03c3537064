package policy

import (
	"iter"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// LeaseRequest is the part of a TritonLease that describes its pods, as JSON decodes it.
// CheckRequest skips values of a wrong type: the checks of the rendered objects refuse them.
type LeaseRequest struct {
	// Triton and Service are spec.triton and spec.service.
	Triton, Service map[string]any
	// Target reports whether the lease has a target.
	Target bool
	// InReleaseNamespace reports whether the lease is in the namespace of tms-server.
	InReleaseNamespace bool
	// Namespace is that of the lease, and Models are its models.
	Namespace string
	Models    []v1alpha1.Model
	// Repositories are those of the values.
	Repositories ModelRepositories
}

// CheckRequest refuses what a TritonLease may not set. The path is that of the lease, and
// images are those that its containers may have.
func (b *LeaseBounds) CheckRequest(path *field.Path, request LeaseRequest, images Allowlist) field.ErrorList {
	reasons := b.checkFields(path, request)
	reasons = append(reasons, b.checkModels(path, request)...)
	if request.Target {
		reasons = append(reasons, b.checkTargets(path)...)
	}
	triton := path.Child("triton")
	for _, pod := range []podRequest{newPodRequest(triton, request.Triton), newPodRequest(podSpec(triton, request.Triton))} {
		reasons = append(reasons, b.checkVolumes(pod)...)
		reasons = append(reasons, b.checkCredentials(pod)...)
		reasons = append(reasons, b.checkSecrets(pod, request.InReleaseNamespace)...)
		reasons = append(reasons, b.checkTolerations(pod)...)
		reasons = append(reasons, b.checkVariables(pod)...)
		reasons = append(reasons, checkImages(pod, images)...)
	}
	return reasons
}

// podRequest is a part of a pod that a lease names: spec.triton, which has some keys of a
// pod and of its Triton container, or spec.triton.podTemplate.spec.
type podRequest struct {
	path  *field.Path
	value map[string]any
	// containers are the maps with environment variables.
	containers []object
}

// object is a map with its path.
type object struct {
	path  *field.Path
	value map[string]any
}

func newPodRequest(path *field.Path, value map[string]any) podRequest {
	pod := podRequest{path: path, value: value, containers: []object{{path, value}}}
	for _, key := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for item := range pod.items(key) {
			pod.containers = append(pod.containers, item)
		}
	}
	return pod
}

// podSpec returns spec.triton.podTemplate.spec.
func podSpec(triton *field.Path, value map[string]any) (*field.Path, map[string]any) {
	template, _ := value["podTemplate"].(map[string]any)
	spec, _ := template["spec"].(map[string]any)
	return triton.Child("podTemplate", "spec"), spec
}

// items returns the maps of a list.
func (p podRequest) items(key string) iter.Seq[object] {
	return itemsOf(p.path.Child(key), p.value[key])
}

func itemsOf(path *field.Path, list any) iter.Seq[object] {
	items, _ := list.([]any)
	return func(yield func(object) bool) {
		for i, item := range items {
			if value, isMap := item.(map[string]any); isMap && !yield(object{path.Index(i), value}) {
				return
			}
		}
	}
}

// child returns the map of a key; its value is nil if there is none.
func (o object) child(key string) object {
	value, _ := o.value[key].(map[string]any)
	return object{o.path.Child(key), value}
}
