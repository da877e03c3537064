package controller

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// unwanted returns the owned objects that the lease no longer has, by kind.
func (r *reconciliation) unwanted(steps []*step) map[string][]client.Object {
	wanted := map[string]bool{}
	for _, s := range steps {
		wanted[s.kind.Kind+" "+s.desired.object.GetName()] = true
	}
	rest := map[string][]client.Object{}
	for k, objects := range r.owned {
		for _, object := range objects {
			if !wanted[k.Kind+" "+object.GetName()] {
				rest[k.Kind] = append(rest[k.Kind], object)
			}
		}
	}
	return rest
}

// addOrphans adds objects that a deleted lease of this name left without an owner
// (kubectl delete --cascade=orphan) and that this lease does not have.
func (r *reconciliation) addOrphans(ctx context.Context, unwanted map[string][]client.Object, steps []*step, name string) error {
	for _, k := range r.kinds {
		if !k.watched.Load() || slices.ContainsFunc(steps, func(s *step) bool { return s.kind == k }) {
			continue
		}
		object := k.newObject()
		err := r.Get(ctx, client.ObjectKey{Namespace: r.lease.Namespace, Name: name}, object)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s %s: %w", k.Kind, name, err)
		}
		if metav1.GetControllerOf(object) == nil && belongsTo(object, r.lease) {
			unwanted[k.Kind] = append(unwanted[k.Kind], object)
		}
	}
	return nil
}

func (r *reconciliation) pruneAll(ctx context.Context, kind string, objects []client.Object) error {
	for _, object := range objects {
		if err := r.prune(ctx, kind, object); err != nil {
			return err
		}
	}
	return nil
}

// prune deletes an object that the lease no longer has.
func (r *reconciliation) prune(ctx context.Context, kind string, object client.Object) error {
	if object.GetDeletionTimestamp() != nil {
		return nil
	}
	if err := r.deleteObject(ctx, kind, object); err != nil {
		return err
	}
	r.recordEvent("Pruned", object, "%s %s is deleted: the lease no longer has one", kind, object.GetName())
	return nil
}

// deleteObject deletes an object, but no other object of its name.
func (r *reconciler) deleteObject(ctx context.Context, kind string, object client.Object) error {
	uid := object.GetUID()
	err := r.Delete(ctx, object, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s %s: %w", kind, object.GetName(), err)
	}
	return nil
}

// deleteOwned deletes the objects of a lease that is being deleted. The garbage
// collector deletes them only once the lease is gone, and a finalizer of another
// controller may delay that without limit.
func (r *reconciliation) deleteOwned(ctx context.Context) error {
	if r.lease.Status.Installation != r.installation || controllerutil.ContainsFinalizer(r.lease, metav1.FinalizerOrphanDependents) {
		return nil
	}
	if err := r.listOwned(ctx); err != nil {
		return err
	}
	for k, objects := range r.owned {
		if err := r.pruneAll(ctx, k.Kind, objects); err != nil {
			return err
		}
	}
	return nil
}
