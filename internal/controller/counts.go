package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// counts are the leases of this installation that are granted, or about to be. Only these
// have objects, and cost memory and time for as long as they live.
type counts struct {
	lock sync.Mutex
	// leases is nil before the first call of reconciliation.count.
	leases      map[client.ObjectKey]types.UID
	byNamespace map[string]int
}

// count counts a lease that has a grant, or that the policy grants. It returns a refusal
// if the number of leases is at its limit, unless the lease is counted already or has a
// grant: a lowered limit ends no lease.
func (r *reconciliation) count(ctx context.Context, bounds *policy.LeaseBounds, granted bool) (policy.Refusal, error) {
	hasGrant := r.status.Granted != nil
	if !granted && !hasGrant {
		return nil, nil
	}
	c := &r.counts
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.leases == nil {
		if err := c.fill(ctx, r.reconciler); err != nil {
			return nil, err
		}
	}
	key := client.ObjectKeyFromObject(r.lease)
	if c.leases[key] == r.lease.UID {
		return nil, nil
	}
	c.remove(key) // an earlier lease of this name
	if !hasGrant {
		if refusal := bounds.CheckCount(key.Namespace, len(c.leases), c.byNamespace[key.Namespace]); len(refusal) > 0 {
			// As many leases may wait as there are, and no change wakes them.
			r.requeueAfter(pollInterval * time.Duration(1+len(c.leases)/2500))
			return refusal, nil
		}
	}
	c.add(key, r.lease.UID)
	return nil, nil
}

// uncount removes a lease that has no grant, or is gone.
func (r *reconciler) uncount(key client.ObjectKey) {
	r.counts.lock.Lock()
	defer r.counts.lock.Unlock()
	r.counts.remove(key)
}

// fill counts the leases that have a grant. The cache may lack the last few grants of an
// earlier leader, which are counted when they are reconciled.
func (c *counts) fill(ctx context.Context, r *reconciler) error {
	var all v1alpha1.TritonLeaseList
	if err := r.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("count leases: %w", err)
	}
	c.leases, c.byNamespace = map[client.ObjectKey]types.UID{}, map[string]int{}
	for i := range all.Items {
		if lease := &all.Items[i]; lease.Status.Granted != nil && lease.Status.Installation == r.installation {
			c.add(client.ObjectKeyFromObject(lease), lease.UID)
		}
	}
	return nil
}

func (c *counts) add(key client.ObjectKey, uid types.UID) {
	c.leases[key] = uid
	c.byNamespace[key.Namespace]++
}

func (c *counts) remove(key client.ObjectKey) {
	if _, counted := c.leases[key]; !counted {
		return
	}
	delete(c.leases, key)
	if c.byNamespace[key.Namespace]--; c.byNamespace[key.Namespace] == 0 {
		delete(c.byNamespace, key.Namespace)
	}
}
