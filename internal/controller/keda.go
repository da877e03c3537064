package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/triton-leases/tms/api/keda/v1alpha1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// scaledObjectKind is the kind from which KEDA creates the HorizontalPodAutoscaler of a lease.
const scaledObjectKind = "ScaledObject"

// isMadeByKEDA reports whether a ScaledObject owns a HorizontalPodAutoscaler. KEDA copies the
// labels of the ScaledObject, so the cache holds it, and the label LeaseLabel names the lease.
func isMadeByKEDA(object client.Object) bool {
	owner := metav1.GetControllerOf(object)
	if owner == nil || owner.Kind != scaledObjectKind {
		return false
	}
	version, err := schema.ParseGroupVersion(owner.APIVersion)
	return err == nil && version.Group == kedav1alpha1.GroupVersion.Group
}

// madeByKEDA is the value of ownerIndex of an autoscaler that KEDA made for a lease.
func madeByKEDA(lease string) string { return "keda " + lease }

// leaseOfKEDA returns the lease of an autoscaler that KEDA made.
func leaseOfKEDA(_ context.Context, object client.Object) []reconcile.Request {
	name := object.GetLabels()[v1alpha1.LeaseLabel]
	if name == "" || !isMadeByKEDA(object) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name}}}
}

// readKEDA reads the autoscaler that KEDA made for the lease. It may outlive the ScaledObject
// for a moment.
func (r *reconciliation) readKEDA(ctx context.Context) error {
	r.fromKEDA = nil
	if k := r.kindOf(scaledObjectKind); k == nil || !k.watched.Load() {
		return nil
	}
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := r.List(ctx, &list, client.InNamespace(r.lease.Namespace), client.MatchingFields{ownerIndex: madeByKEDA(r.lease.Name)}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list %s of KEDA: %w", autoscalerKind, err)
	}
	if len(list.Items) > 0 {
		r.fromKEDA = &list.Items[0]
	}
	return nil
}

func (r *reconciler) kindOf(kind string) *watchedKind {
	for _, k := range r.kinds {
		if k.Kind == kind {
			return k
		}
	}
	return nil
}

// scaledObject returns the ScaledObject that the lease owns, or nil.
func (r *reconciliation) scaledObject() *unstructured.Unstructured {
	for _, object := range r.ownedOf(scaledObjectKind) {
		return object.(*unstructured.Unstructured)
	}
	return nil
}

// checkTakeover refuses to create a ScaledObject beside an autoscaler that is not the lease's:
// KEDA would take it over.
func (r *reconciliation) checkTakeover(ctx context.Context, name string) error {
	if r.autoscaler() != nil || r.fromKEDA != nil {
		return nil
	}
	live := new(autoscalingv2.HorizontalPodAutoscaler)
	err := r.live.Get(ctx, client.ObjectKey{Namespace: r.lease.Namespace, Name: name}, live)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("read %s %s: %w", autoscalerKind, name, err)
	case belongsTo(live, r.lease) || isMadeByKEDA(live) && live.Labels[v1alpha1.LeaseLabel] == r.lease.Name:
		return nil
	case ownedByNamesake(live, r.lease):
		return leftover{autoscalerKind, name}
	}
	return nameConflict{autoscalerKind, name}
}

// setScaledObjectBounds sets the bounds of a ScaledObject to those of a grant.
func (r *reconciliation) setScaledObjectBounds(ctx context.Context, object *unstructured.Unstructured, grant v1alpha1.Grant) error {
	content, err := contentOf(object)
	if err != nil {
		return fmt.Errorf("decode %s: %w", scaledObjectKind, err)
	}
	bounds := map[string]any{"minReplicaCount": grant.MinReplicas, "maxReplicaCount": grant.MaxReplicas}
	if contains(content["spec"], bounds) {
		return nil
	}
	changed := object.DeepCopy() // the cache has the original
	before := object
	if changed.Object["spec"] == nil { // it is packed: the patch must have only the bounds
		changed.Object["spec"] = bounds
	} else {
		maps.Copy(changed.Object["spec"].(map[string]any), bounds)
	}
	if err := r.patchOwned(ctx, changed, before); err != nil {
		return fmt.Errorf("%s %s: %w", scaledObjectKind, object.GetName(), err)
	}
	return nil
}

// kedaConditions are the conditions of a ScaledObject that the status of a lease shows.
var kedaConditions = []string{"Ready", "Fallback"}

// trimScaledObject keeps only kedaConditions in the status. KEDA changes the rest each time it
// reads the metrics.
func trimScaledObject(object *unstructured.Unstructured) {
	all, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	kept := slices.DeleteFunc(all, func(c any) bool {
		condition, _ := c.(map[string]any)
		name, _ := condition["type"].(string)
		return !slices.Contains(kedaConditions, name)
	})
	object.Object["status"] = map[string]any{"conditions": kept}
}

// kedaProblem returns a reason and a message if KEDA does not scale a lease by its metrics.
// Both are empty if it does.
func kedaProblem(object *unstructured.Unstructured) (reason, message string) {
	if object == nil {
		return "", ""
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	is := func(name, status string) (string, bool) {
		for _, c := range conditions {
			if condition, _ := c.(map[string]any); condition["type"] == name && condition["status"] == status {
				message, _ := condition["message"].(string)
				return message, true
			}
		}
		return "", false
	}
	if _, fallsBack := is("Fallback", "True"); fallsBack {
		reason, message = "Fallback", fmt.Sprintf("KEDA cannot read a metric, so the lease keeps its replicas: see the events of %s %s", scaledObjectKind, object.GetName())
	} else if text, failed := is("Ready", "False"); failed {
		reason, message = "KEDAFailed", fmt.Sprintf("%s %s: %s", scaledObjectKind, object.GetName(), text)
	}
	return reason, message
}

// kedaPrefix is the prefix of the annotations that pause a ScaledObject. While it is paused,
// nothing holds the workload within the bounds of the lease.
const kedaPrefix = "autoscaling.keda.sh/"

// pausesOf returns a merge patch that removes the annotations with kedaPrefix from a
// ScaledObject. It is empty if there are none.
func pausesOf(content map[string]any) map[string]any {
	annotations, _, _ := unstructured.NestedMap(content, "metadata", "annotations")
	removed := map[string]any{}
	for key := range annotations {
		if strings.HasPrefix(key, kedaPrefix) {
			removed[key] = nil
		}
	}
	return removed
}

// unpause removes the annotations that pause a ScaledObject.
func (r *reconciler) unpause(ctx context.Context, live client.Object) error {
	content, err := contentOf(live)
	if err != nil {
		return fmt.Errorf("decode %s: %w", scaledObjectKind, err)
	}
	removed := pausesOf(content)
	if len(removed) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": removed}})
	if err != nil {
		return fmt.Errorf("encode the patch of %s %s: %w", scaledObjectKind, live.GetName(), err)
	}
	object := live.DeepCopyObject().(client.Object) // the cache has the original
	return r.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch), fieldOwner)
}
