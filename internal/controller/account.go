package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/budget"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// accounts are the accounts of all namespaces with a budget.
type accounts struct {
	lock        sync.Mutex
	byNamespace map[string]*account
	requests    budget.Requests
}

// account serializes the decisions about the budget of one namespace. The charges are in
// the status of the leases; an account knows only what the cache does not show yet.
type account struct {
	lock sync.Mutex
	// complete reports whether newer has what an earlier leader wrote.
	complete bool
	// newer are leases by name that are newer than those of the cache.
	newer map[string]*v1alpha1.TritonLease
	// shownUsed is the number of GPUs in use that all leases show, or will show, and shownAt
	// is when they began to.
	shownUsed int64
	shownAt   time.Time
}

func (a *accounts) of(namespace string) *account {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.byNamespace == nil {
		a.byNamespace = map[string]*account{}
	}
	one, ok := a.byNamespace[namespace]
	if !ok {
		one = &account{newer: map[string]*v1alpha1.TritonLease{}}
		a.byNamespace[namespace] = one
	}
	return one
}

// wrote remembers a lease that was written, until the cache shows it.
func (a *account) wrote(lease *v1alpha1.TritonLease) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.newer[lease.Name] = lease
}

// leases returns the leases of a namespace as they were written last. They belong to the
// cache and must not be changed. The caller holds the lock.
func (a *account) leases(ctx context.Context, r *reconciler, namespace string) ([]*v1alpha1.TritonLease, error) {
	if !a.complete {
		// The previous leader may have written what the cache does not show yet.
		var stored v1alpha1.TritonLeaseList
		if err := r.live.List(ctx, &stored, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list leases: %w", err)
		}
		for i := range stored.Items {
			if lease := &stored.Items[i]; lease.Status.Installation == r.installation {
				a.newer[lease.Name] = lease
			}
		}
		a.complete = true
	}
	var list v1alpha1.TritonLeaseList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	leases := make([]*v1alpha1.TritonLease, 0, len(list.Items)+len(a.newer))
	missing := make(map[string]bool, len(a.newer))
	for name := range a.newer {
		missing[name] = true
	}
	for i := range list.Items {
		lease := &list.Items[i]
		delete(missing, lease.Name)
		if newer := a.newer[lease.Name]; newer != nil {
			if isNewer(newer, lease) {
				lease = newer
			} else {
				delete(a.newer, lease.Name)
			}
		}
		leases = append(leases, lease)
	}
	for name := range missing { // the cache does not have it yet, or no longer
		lease := new(v1alpha1.TritonLease)
		err := r.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, lease)
		switch {
		case apierrors.IsNotFound(err):
			delete(a.newer, name)
		case err != nil:
			return nil, fmt.Errorf("read lease %s: %w", name, err)
		default:
			a.newer[name] = lease
			leases = append(leases, lease)
		}
	}
	ours := leases[:0]
	for _, lease := range leases {
		if budget.Counts(lease, r.installation) {
			ours = append(ours, lease)
		}
	}
	return ours, nil
}

// isNewer reports whether a was written after b.
func isNewer(a, b *v1alpha1.TritonLease) bool {
	order, err := resourceversion.CompareResourceVersion(a.ResourceVersion, b.ResourceVersion)
	return err == nil && order > 0
}

// claims returns the leases of a namespace and their claims. The caller holds the lock.
func (a *account) claims(ctx context.Context, r *reconciler, renderer *render.LeaseRenderer, namespace string) ([]*v1alpha1.TritonLease, []policy.Claim, error) {
	leases, err := a.leases(ctx, r, namespace)
	if err == nil {
		leases, err = r.withOrphans(ctx, namespace, leases, renderer.Bounds().Limits().GPUs)
	}
	if err != nil {
		return nil, nil, err
	}
	return leases, r.accounts.requests.Claims(renderer, namespace, leases), nil
}
