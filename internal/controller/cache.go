package controller

import (
	"maps"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// Scheme returns a scheme with TritonLease and the built-in kinds. Custom resources of
// others are not in it: see watchedKind.newObject.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, clientscheme.AddToScheme(scheme)
}

// Cache returns the options of a cache that holds the TritonLeases of the namespaces and
// their objects, without fields that the controller does not read. The cache also holds the
// ConfigMap of the allowlist, if its name is not empty.
func Cache(namespaces Namespaces, allowlist client.ObjectKey) cache.Options {
	options := cache.Options{
		DefaultTransform: trim,
		// A label selects the objects, and not a list of kinds: the server would not
		// start if the API server did not serve one of them, such as PodMonitor.
		DefaultLabelSelector: labels.SelectorFromSet(labels.Set{managedByLabel: managedBy}),
		ByObject:             map[client.Object]cache.ByObject{new(v1alpha1.TritonLease): {Label: labels.Everything()}},
	}
	if allowlist.Name != "" {
		options.ByObject[new(corev1.ConfigMap)] = cache.ByObject{
			Label: labels.Everything(), Field: fields.OneTermEqualSelector("metadata.name", allowlist.Name),
			Namespaces: map[string]cache.Config{allowlist.Namespace: {}},
		}
	}
	if len(namespaces.Configured) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces.Watched {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}

// Client returns the options of a client that reads unstructured objects from the
// cache, too.
func Client() client.Options {
	return client.Options{Cache: &client.CacheOptions{Unstructured: true}}
}

// trim removes fields that are large or change often, and that the controller does not
// read, and packs the objects of leases.
func trim(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(withoutFields(accessor.GetManagedFields()))
		delete(accessor.GetAnnotations(), corev1.LastAppliedConfigAnnotation)
	}
	switch object := object.(type) {
	case *v1alpha1.TritonLease:
		trimLease(object)
		return object, nil
	case *corev1.ConfigMap: // the allowlist
		return object, nil
	case *autoscalingv2.HorizontalPodAutoscaler:
		object.Status.CurrentMetrics = nil
		return object, pack(object)
	case *unstructured.Unstructured:
		if object.GetKind() == scaledObjectKind {
			trimScaledObject(object)
		}
		return object, pack(object)
	case client.Object:
		return object, pack(object)
	}
	return object, nil
}

// withoutFields returns the entries that hasUpdated looks for, without their fields.
func withoutFields(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	if !slices.ContainsFunc(entries, isOwnUpdate) {
		return nil
	}
	return []metav1.ManagedFieldsEntry{{Manager: managedBy, Operation: metav1.ManagedFieldsOperationUpdate}}
}

// trimLease removes the metadata of a lease that tms-server does not read, and a spec that
// is refused for its size: users could fill the memory of tms-server with them. The API
// server keeps both: the controller writes only the status of a lease, and the API of leases
// patches single fields.
func trimLease(lease *v1alpha1.TritonLease) {
	const maxAnnotation = 4 << 10 // bytes
	maps.DeleteFunc(lease.Annotations, func(key, value string) bool {
		return !strings.HasPrefix(key, v1alpha1.GroupVersion.Group+"/") || len(value) > maxAnnotation
	})
	lease.Labels, lease.OwnerReferences = nil, nil
	lease.Finalizers = slices.DeleteFunc(lease.Finalizers, func(name string) bool { return name != metav1.FinalizerOrphanDependents })
	render.DropOversize(lease)
}
