package controller

import (
	"context"
	"fmt"
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
	leaseLabel     = "tms.triton-leases.dev/lease"
	// ownerIndex finds objects by the UID of the lease that owns them.
	ownerIndex = "owner"
)

func indexOwner(object client.Object) []string {
	switch owner := metav1.GetControllerOf(object); {
	case owner == nil:
		return []string{noOwner}
	case owner.Kind == "TritonLease" && strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/"):
		return []string{string(owner.UID)}
	default:
		return nil
	}
}

// listOwned reads the objects that the lease owns.
func (r *reconciliation) listOwned(ctx context.Context) error {
	r.owned = map[*watchedKind][]client.Object{}
	for _, k := range r.kinds {
		if !k.watched.Load() {
			continue
		}
		list := k.newList()
		err := r.List(ctx, list, client.InNamespace(r.lease.Namespace), client.MatchingFields{ownerIndex: string(r.lease.UID)})
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
	return nil
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

// nameConflict is an object of another owner with the name of an object of the lease.
type nameConflict struct{ kind, name string }

// Error implements error.
func (c nameConflict) Error() string {
	return fmt.Sprintf("%s %s exists and does not belong to this lease: delete it, or give the lease another name", c.kind, c.name)
}

// find returns the object of this name, or nil if there is none. An object of another
// owner is a nameConflict.
func (r *reconciliation) find(ctx context.Context, k *watchedKind, name string) (client.Object, error) {
	for _, object := range r.owned[k] {
		if object.GetName() == name {
			return object, nil
		}
	}
	// The cache does not hold an object that lost its label, or never had it.
	object := k.newObject()
	err := r.live.Get(ctx, client.ObjectKey{Namespace: r.lease.Namespace, Name: name}, object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", k.Kind, name, err)
	}
	if !belongsTo(object, r.lease) {
		return nil, nameConflict{k.Kind, name}
	}
	return object, nil
}

// belongsTo reports whether the lease may change an object: it owns the object, or the
// object has no owner and the labels of the lease.
func belongsTo(object client.Object, lease *v1alpha1.TritonLease) bool {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return owner.UID == lease.UID
	}
	labels := object.GetLabels()
	return labels[managedByLabel] == managedBy && labels[leaseLabel] == lease.Name
}
