package controller

import (
	"fmt"
	"slices"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/pkg/render"
)

// watchedKind is a kind of object that leases consist of. The controller watches it
// once the API server serves it.
type watchedKind struct {
	schema.GroupVersionKind
	// rows are those of render.Kinds with this kind: a lease has several Services.
	rows    []render.Kind
	watched atomic.Bool
	// list is an empty list of the Go type, nil for custom resources.
	list client.ObjectList
}

// newWatchedKinds returns render.Kinds, none of them watched yet.
func newWatchedKinds(scheme *runtime.Scheme) ([]*watchedKind, error) {
	var all []*watchedKind
	for _, kind := range render.Kinds() {
		if i := slices.IndexFunc(all, func(k *watchedKind) bool { return k.GroupVersionKind == kind.GroupVersionKind }); i >= 0 {
			all[i].rows = append(all[i].rows, kind)
			continue
		}
		k := &watchedKind{GroupVersionKind: kind.GroupVersionKind, rows: []render.Kind{kind}}
		list, err := scheme.New(k.GroupVersion().WithKind(k.Kind + "List"))
		switch {
		case err == nil:
			k.list = list.(client.ObjectList)
		case !runtime.IsNotRegisteredError(err):
			return nil, fmt.Errorf("list of %s: %w", k.Kind, err)
		}
		all = append(all, k)
	}
	return all, nil
}

// resource returns the resource of the kind, for errors.
func (k *watchedKind) resource() schema.GroupResource {
	return schema.GroupResource{Group: k.Group, Resource: k.rows[0].Resource}
}

// of returns the objects of this kind that a lease has.
func (k *watchedKind) of(objects *render.Objects) []render.Object {
	var all []render.Object
	for _, row := range k.rows {
		if object := row.Get(objects); object != nil {
			all = append(all, object)
		}
	}
	return all
}

// newObject returns an object to read into. Custom resources are read as unstructured
// objects: the Prometheus Operator of the cluster may have another version than our Go
// types, and one object that does not decode would fail the whole list.
func (k *watchedKind) newObject() client.Object {
	if k.list != nil {
		return k.rows[0].New()
	}
	object := new(unstructured.Unstructured)
	object.SetGroupVersionKind(k.GroupVersionKind)
	return object
}

// cached returns an object that the API server returned, as the cache will show it.
func (k *watchedKind) cached(answer client.Object) (client.Object, error) {
	object := answer.DeepCopyObject().(client.Object)
	if custom, ok := answer.(*unstructured.Unstructured); ok && k.list != nil {
		object = k.newObject()
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(custom.Object, object); err != nil {
			return nil, err
		}
	}
	if k.list != nil {
		object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
	_, err := trim(object)
	return object, err
}

// newList returns a list to read into, as newObject does.
func (k *watchedKind) newList() client.ObjectList {
	if k.list != nil {
		return k.list.DeepCopyObject().(client.ObjectList)
	}
	list := new(unstructured.UnstructuredList)
	list.SetGroupVersionKind(k.GroupVersion().WithKind(k.Kind + "List"))
	return list
}
