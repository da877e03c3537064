package preview

import (
	"fmt"
	"maps"
	"slices"

	"github.com/triton-leases/tms/internal/budget"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// fitBudgets lowers the granted leases to the GPU budgets of their namespaces, as if there
// were no other leases, and refuses those that do not fit. The notes say which budgets count.
func fitBudgets(lr *render.LeaseRenderer, all []*lease) (refused Refusals, notes []string) {
	byNamespace := map[string][]*lease{}
	for _, l := range all {
		if l.granted != nil && l.granted.Grant.GPUs > 0 {
			byNamespace[l.object.Namespace] = append(byNamespace[l.object.Namespace], l)
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		current, ok := lr.Bounds().Budget(namespace)
		if !ok {
			continue
		}
		leases := byNamespace[namespace]
		claims := make([]policy.Claim, len(leases))
		for i, l := range leases {
			claims[i] = budget.ClaimOf(lr, l.object, budget.RequestOf(l.object, l.granted))
			claims[i].Created = created(l.object)
		}
		allocations := policy.Allocate(current.GPUs, claims)
		for i, l := range leases {
			refused = append(refused, l.refuse(budget.Fit(lr, current, l.granted, claims, allocations, i)...)...)
		}
		notes = append(notes, fmt.Sprintf("%s: %d GPUs for the leases of the namespace %s; leases in the cluster are not known here and count, too",
			current.Key, current.GPUs, namespace))
	}
	return refused, notes
}
