// Package budget computes the GPUs that TritonLeases ask for and hold in the budget of their
// namespace.
package budget

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// Counts reports whether a lease counts against the budgets of an installation. A lease that
// belongs to no installation yet counts, because this installation may claim it.
func Counts(lease *v1alpha1.TritonLease, installation string) bool {
	return lease.Status.Installation == "" || lease.Status.Installation == installation
}

// Request is what the spec of a lease asks for. The zero value is that of a refused lease.
type Request struct {
	// Granted reports whether the policy grants the spec.
	Granted bool
	// GPUs is the number of GPUs of one replica.
	GPUs, Minimum, Maximum int64
	// Keeps reports whether the lease does not scale and names no number of replicas: it
	// keeps those that it has.
	Keeps bool
}

// RequestOf returns what a lease asks for. granted is what the policy grants to it, nil if
// it is refused.
func RequestOf(lease *v1alpha1.TritonLease, granted *render.GrantedLease) Request {
	if granted == nil {
		return Request{}
	}
	minimum, maximum := replicas(granted.Grant)
	keeps := !granted.Grant.Autoscaled && len(lease.Spec.Models) > 0 && (lease.Spec.Triton == nil || lease.Spec.Triton.Replicas == nil)
	return Request{Granted: true, GPUs: granted.Grant.GPUs, Minimum: minimum, Maximum: maximum, Keeps: keeps}
}

// Keep sets the replicas of a lease that keeps those that it asks for here. A number above
// the limit is clamped and reported.
func (r *Request) Keep(bounds *policy.LeaseBounds, asked int64) []v1alpha1.Adjustment {
	replicas, adjustments := bounds.GrantReplicas(field.NewPath("spec"), asked, false)
	r.Minimum, r.Maximum = min(replicas, 1), replicas
	return adjustments
}

// replicas returns the minimum and the maximum that a grant needs in the budget. With a
// schedule they are the highest of all entries, so that a change of the entry does not need
// more GPUs. A lease that does not scale gets fewer replicas if its number does not fit, but
// at least one.
func replicas(grant v1alpha1.Grant) (minimum, maximum int64) {
	if grant.Autoscaled {
		return grant.HighestReplicas()
	}
	return min(grant.Replicas, 1), grant.Replicas
}

// KeptReplicas returns what a lease with Request.Keeps asks for, and what it was granted last.
// It asks for what it was granted, or for the number before the budget lowered it. known is
// false if no number was granted.
func KeptReplicas(lease *v1alpha1.TritonLease) (asked, granted int64, known bool) {
	before := lease.Status.Granted
	if before == nil || before.Autoscaled || before.Replicas == 0 && lease.Status.Budget == nil {
		return 0, 0, false
	}
	for _, adjustment := range before.Adjustments {
		if adjustment.Field == "spec.triton.replicas" {
			return adjustment.Asked, before.Replicas, true
		}
	}
	return before.Replicas, before.Replicas, true
}

// Held returns what a lease is charged, in GPUs. If the status has no charge, because there
// was no budget, the lease holds what it was granted.
func Held(lease *v1alpha1.TritonLease, request Request) int64 {
	granted := lease.Status.Granted
	switch {
	case lease.Status.Budget != nil:
		return lease.Status.Budget.Charged
	case granted == nil:
		return 0
	case !isOld(lease):
		_, maximum := replicas(granted.Grant)
		return maximum * granted.GPUs
	case lease.Status.ObservedGeneration == lease.Generation:
		return request.Maximum * request.GPUs
	default:
		return 0
	}
}

// isOld reports whether the grant is of a version that did not record GPUs.
func isOld(lease *v1alpha1.TritonLease) bool {
	return lease.Status.Limits == nil && lease.Status.Granted.GPUs == 0
}

// ClaimOf returns the claim of a lease.
func ClaimOf(renderer *render.LeaseRenderer, lease *v1alpha1.TritonLease, request Request) policy.Claim {
	claim := policy.Claim{Name: lease.Name, Created: lease.CreationTimestamp.Time, Held: Held(lease, request)}
	if !lease.DeletionTimestamp.IsZero() { // its pods may still run
		claim.GPUs, claim.Minimum, claim.Maximum, claim.Floor = 1, claim.Held, claim.Held, claim.Held
		return claim
	}
	claim.GPUs, claim.Minimum, claim.Maximum = request.GPUs, request.Minimum, request.Maximum
	granted := lease.Status.Granted
	if granted == nil {
		return claim
	}
	if isOld(lease) {
		claim.Floor = min(claim.Held, request.Minimum*request.GPUs)
		return claim
	}
	minimum, _ := replicas(granted.Grant)
	claim.Floor = min(claim.Held, minimum*granted.GPUs)
	if !request.Granted { // it keeps what it has within the current bounds, and gets no more
		clamped := renderer.ClampReplicas(granted.Grant)
		claim.GPUs = granted.GPUs
		claim.Minimum, claim.Maximum = replicas(clamped)
		most := claim.Held / max(claim.GPUs, 1)
		if granted.Autoscaled && !clamped.Autoscaled { // its Deployment keeps the replicas that it has
			claim.Minimum, claim.Maximum = 0, most
		}
		claim.Maximum = min(claim.Maximum, most)
		claim.Minimum = min(claim.Minimum, claim.Maximum)
	}
	return claim
}

// Fit lowers a granted lease to what the budget of its namespace allows. The claims are
// those of the namespace, and own is the index of that of the lease. It returns the refusal
// of a lease if not even its minimum fits.
func Fit(renderer *render.LeaseRenderer, current policy.Budget, granted *render.GrantedLease, claims []policy.Claim, allocations []policy.Allocation, own int) policy.Refusal {
	claim, allocation := claims[own], allocations[own]
	switch {
	case allocation.Refused:
		return policy.Refusal{current.Refuse(field.NewPath("spec"), claim, granted.Grant.Autoscaled, current.OthersUse(claims, allocations, own))}
	case allocation.Replicas < claim.Maximum:
		renderer.SetReplicas(granted, allocation.Replicas, current.Key, current.OthersUse(claims, allocations, own))
	}
	return nil
}

// Requests caches what leases ask for, because to grant a lease takes longer than the rest of
// Claims. It is safe for concurrent use.
type Requests struct {
	lock     sync.Mutex
	renderer *render.LeaseRenderer
	// byNamespace are those of the leases of the last call.
	byNamespace map[string]map[types.UID]cached
}

type cached struct {
	generation int64
	request    Request
}

// Claims returns the claims of all leases of a namespace.
func (r *Requests) Claims(renderer *render.LeaseRenderer, namespace string, leases []*v1alpha1.TritonLease) []policy.Claim {
	r.lock.Lock()
	if r.renderer != renderer {
		r.renderer, r.byNamespace = renderer, map[string]map[types.UID]cached{}
	}
	known := r.byNamespace[namespace]
	r.lock.Unlock()
	now := make(map[types.UID]cached, len(leases)) // known may be in use by another call
	claims := make([]policy.Claim, len(leases))
	for i, lease := range leases {
		c, ok := known[lease.UID]
		if !ok || c.generation != lease.Generation {
			granted, err := renderer.GrantTritonLease(lease)
			if err != nil {
				granted = nil
			}
			c = cached{lease.Generation, RequestOf(lease, granted)}
		}
		now[lease.UID] = c
		request := c.request
		if policy.RefusedByCount(lease) {
			request = Request{}
		}
		if asked, _, ok := KeptReplicas(lease); ok && request.Keeps {
			request.Keep(renderer.Bounds(), asked)
		}
		claims[i] = ClaimOf(renderer, lease, request)
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.renderer == renderer {
		r.byNamespace[namespace] = now
	}
	return claims
}
