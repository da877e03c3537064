package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

const (
	// managedByLabel is managedBy on each object of a TritonLease. The cache holds only
	// objects with this label.
	managedByLabel = "app.kubernetes.io/managed-by"
	managedBy      = render.ControllerName
	// ownerIndex finds objects by the UID of the lease that owns them.
	ownerIndex = "owner"
)

func indexOwner(object client.Object) []string {
	switch owner := metav1.GetControllerOf(object); {
	case owner == nil:
		return []string{noOwner}
	case isLease(owner):
		return []string{string(owner.UID)}
	case isMadeByKEDA(object):
		return []string{madeByKEDA(object.GetLabels()[v1alpha1.LeaseLabel])}
	default:
		return nil
	}
}

// listOwned reads the objects that the lease owns. They belong to the cache: nothing may
// change them.
func (r *reconciliation) listOwned(ctx context.Context) error {
	r.owned = map[*watchedKind][]client.Object{}
	for _, k := range r.kinds {
		if !k.watched.Load() {
			continue
		}
		r.served = append(r.served, k.Kind)
		list := k.newList()
		err := r.List(ctx, list, client.InNamespace(r.lease.Namespace), client.MatchingFields{ownerIndex: string(r.lease.UID)}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return fmt.Errorf("list %s: %w", k.Kind, err)
		}
		objects, err := meta.ExtractList(list)
		if err != nil {
			return fmt.Errorf("list %s: %w", k.Kind, err)
		}
		for _, object := range objects {
			r.owned[k] = append(r.owned[k], object.(client.Object))
		}
	}
	return r.readKEDA(ctx)
}

// ownedOf returns the objects of one kind that the lease owns.
func (r *reconciliation) ownedOf(kind string) []client.Object {
	for k, objects := range r.owned {
		if k.Kind == kind {
			return objects
		}
	}
	return nil
}

// patchOwned patches an owned object, and remembers the result.
func (r *reconciliation) patchOwned(ctx context.Context, changed, before client.Object) error {
	if err := r.Patch(ctx, changed, client.MergeFrom(before), fieldOwner); err != nil {
		return err
	}
	for _, objects := range r.owned {
		if i := slices.Index(objects, before); i >= 0 {
			objects[i] = changed
		}
	}
	return nil
}

// nameConflict is an object of another owner with the name of an object of the lease.
type nameConflict struct{ kind, name string }

// Error implements error.
func (c nameConflict) Error() string {
	return fmt.Sprintf("%s %s exists and does not belong to this lease: delete it, or give the lease another name", c.kind, c.name)
}

// leftover is an object of a deleted lease with the name of this lease. The garbage collector
// will delete it, or remove its owner.
type leftover struct{ kind, name string }

// Error implements error.
func (l leftover) Error() string {
	return fmt.Sprintf("%s %s of an earlier lease with this name is not deleted yet; if it stays, check its finalizers", l.kind, l.name)
}

// ownedBy returns the object of a kind and a name that the lease owns, or nil.
func (r *reconciliation) ownedBy(k *watchedKind, name string) client.Object {
	for _, object := range r.owned[k] {
		if object.GetName() == name {
			return object
		}
	}
	return nil
}

// find reads the object of a kind and a name that the cache does not show as the lease's: it
// is new, or it lost its label or its owner, or never had them. It returns nil if there is
// none. An object of a deleted lease with this name is a leftover, and one of another owner a
// nameConflict.
func (r *reconciliation) find(ctx context.Context, k *watchedKind, name string) (client.Object, error) {
	object := k.newObject()
	err := r.live.Get(ctx, client.ObjectKey{Namespace: r.lease.Namespace, Name: name}, object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", k.Kind, name, err)
	}
	if belongsTo(object, r.lease) {
		return object, nil
	}
	if ownedByNamesake(object, r.lease) {
		return nil, leftover{k.Kind, name}
	}
	return nil, nameConflict{k.Kind, name}
}

// checkNotDeleted returns a conflict if the lease was deleted and the cache does not show it
// yet. After a deletion with --cascade=orphan, the garbage collector removes the owner of each
// object. If the controller then set the owner again, the garbage collector would delete the
// object. That can still happen if the controller is changing an object at this moment, and
// neither the lease nor the object in the cache shows the deletion.
func (r *reconciliation) checkNotDeleted(ctx context.Context) error {
	lease := new(v1alpha1.TritonLease)
	err := r.live.Get(ctx, client.ObjectKeyFromObject(r.lease), lease)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read TritonLease %s: %w", r.lease.Name, err)
	}
	if err != nil || lease.UID != r.lease.UID || !lease.DeletionTimestamp.IsZero() {
		return apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("tritonleases").GroupResource(), r.lease.Name, errors.New("it was deleted"))
	}
	return nil
}

// belongsTo reports whether the lease may change an object: it owns the object, or the
// object has no owner and the labels of the lease.
func belongsTo(object client.Object, lease *v1alpha1.TritonLease) bool {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return owner.UID == lease.UID
	}
	labels := object.GetLabels()
	return labels[managedByLabel] == managedBy && labels[v1alpha1.LeaseLabel] == lease.Name
}

// ownedByNamesake reports whether the owner of an object is another lease with the name of
// this one: an earlier one, or a later one if the cache is behind.
func ownedByNamesake(object client.Object, lease *v1alpha1.TritonLease) bool {
	owner := metav1.GetControllerOf(object)
	return owner != nil && isLease(owner) && owner.Name == lease.Name && owner.UID != lease.UID
}

// isLease reports whether an owner is a TritonLease.
func isLease(owner *metav1.OwnerReference) bool {
	return owner.Kind == "TritonLease" && strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/")
}
