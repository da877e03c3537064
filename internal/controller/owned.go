package controller

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

const (
	// managedByLabel has managedBy on each object of a TritonLease. Only those
	// objects are watched.
	managedByLabel = "app.kubernetes.io/managed-by"
	managedBy      = render.ControllerName
	leaseLabel     = "tms.triton-leases.dev/lease"
	// ownerIndex finds objects by the UID of the lease that they belong to.
	ownerIndex = "owner"
)

// watchedKind is a kind that is watched once the API server knows it.
type watchedKind struct {
	*kind
	watched atomic.Bool
}

func indexOwner(object client.Object) []string {
	if owner := metav1.GetControllerOf(object); owner != nil && owner.Kind == "TritonLease" && strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/") {
		return []string{string(owner.UID)}
	}
	return nil
}

// findOwned finds the objects of the lease.
func (p *pass) findOwned(ctx context.Context) error {
	p.owned = map[*watchedKind][]client.Object{}
	for _, k := range p.kinds {
		if !k.watched.Load() {
			continue
		}
		list := k.list()
		err := p.List(ctx, list, client.InNamespace(p.lease.Namespace), client.MatchingFields{ownerIndex: string(p.lease.UID)})
		if err != nil {
			return fmt.Errorf("list %s: %w", k.Kind, err)
		}
		objects, err := meta.ExtractList(list)
		if err != nil {
			return fmt.Errorf("list %s: %w", k.Kind, err)
		}
		for _, object := range objects {
			p.owned[k] = append(p.owned[k], object.(client.Object))
		}
	}
	return nil
}

// conflict is an object of somebody else that has the name of one of ours.
type conflict struct{ kind, name string }

// Error implements error.
func (c conflict) Error() string {
	return fmt.Sprintf("%s %s exists and does not belong to this lease: delete it, or give the lease another name", c.kind, c.name)
}

// find returns the object that there is under a name, nil where there is none. One
// that belongs to nobody, although it has our labels, is taken over. One of somebody
// else is a conflict.
func (p *pass) find(ctx context.Context, k *watchedKind, name string) (client.Object, error) {
	for _, object := range p.owned[k] {
		if object.GetName() == name {
			return object, nil
		}
	}
	// It may have lost the label by which it is watched, or be somebody else's.
	object := k.empty()
	err := p.live.Get(ctx, client.ObjectKey{Namespace: p.lease.Namespace, Name: name}, object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", k.Kind, name, err)
	}
	if !belongs(object, p.lease) {
		return nil, conflict{k.Kind, name}
	}
	return object, nil
}

func belongs(object client.Object, lease *v1alpha1.TritonLease) bool {
	if owner := metav1.GetControllerOf(object); owner != nil {
		return owner.UID == lease.UID
	}
	labels := object.GetLabels()
	return labels[managedByLabel] == managedBy && labels[leaseLabel] == lease.Name
}
