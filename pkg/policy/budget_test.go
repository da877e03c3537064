package policy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/pkg/policy"
)

// at returns a time, in seconds.
func at(second int64) time.Time { return time.Unix(second, 0) }

func TestAllocate(t *testing.T) {
	t.Parallel()
	granted := func(replicas, gpus int64) policy.Allocation { return policy.Allocation{Replicas: replicas, GPUs: gpus} }
	refused := func(gpus int64) policy.Allocation { return policy.Allocation{GPUs: gpus, Refused: true} }
	for name, test := range map[string]struct {
		budget int64
		claims []policy.Claim
		want   []policy.Allocation
	}{
		"all fit": {8, []policy.Claim{
			{Name: "a", GPUs: 2, Minimum: 1, Maximum: 3}, {Name: "b", GPUs: 1, Minimum: 2, Maximum: 2},
		}, []policy.Allocation{granted(3, 6), granted(2, 2)}},
		"the older one first": {4, []policy.Claim{
			{Name: "a", Created: at(2), GPUs: 1, Minimum: 1, Maximum: 3}, {Name: "b", Created: at(1), GPUs: 1, Minimum: 1, Maximum: 3},
		}, []policy.Allocation{granted(1, 1), granted(3, 3)}},
		"by name in one second": {1, []policy.Claim{
			{Name: "b", GPUs: 1, Minimum: 1, Maximum: 1}, {Name: "a", GPUs: 1, Minimum: 1, Maximum: 1},
		}, []policy.Allocation{refused(0), granted(1, 1)}},
		"the winner of a race keeps it": {1, []policy.Claim{
			{Name: "a", GPUs: 1, Minimum: 1, Maximum: 1}, {Name: "b", Created: at(9), GPUs: 1, Minimum: 1, Maximum: 1, Held: 1},
		}, []policy.Allocation{refused(0), granted(1, 1)}},
		"whole replicas": {7, []policy.Claim{{Name: "a", GPUs: 2, Minimum: 1, Maximum: 9}}, []policy.Allocation{granted(3, 6)}},
		"a large lease does not hold back a small one": {3, []policy.Claim{
			{Name: "a", GPUs: 4, Minimum: 1, Maximum: 1}, {Name: "b", GPUs: 1, Minimum: 1, Maximum: 2},
		}, []policy.Allocation{refused(0), granted(2, 2)}},
		"no GPUs, no budget": {0, []policy.Claim{
			{Name: "a", Minimum: 1, Maximum: 5}, {Name: "b", GPUs: 1, Minimum: 1, Maximum: 1}, {Name: "c", GPUs: 1},
		}, []policy.Allocation{granted(5, 0), refused(0), granted(0, 0)}},
		"a shrunk budget takes from the youngest": {8, []policy.Claim{
			{Name: "a", Created: at(1), GPUs: 1, Minimum: 1, Maximum: 6, Held: 6, Floor: 1}, {Name: "b", Created: at(2), GPUs: 1, Minimum: 1, Maximum: 6, Held: 6, Floor: 1},
		}, []policy.Allocation{granted(6, 6), granted(2, 2)}},
		"then from the next one": {8, []policy.Claim{
			{Name: "a", Created: at(1), GPUs: 1, Minimum: 1, Maximum: 6, Held: 6, Floor: 1}, {Name: "b", Created: at(2), GPUs: 1, Minimum: 5, Maximum: 6, Held: 6, Floor: 5},
		}, []policy.Allocation{granted(3, 3), granted(5, 5)}},
		"a running minimum that does not fit is refused and charged": {3, []policy.Claim{
			{Name: "a", Created: at(1), GPUs: 1, Minimum: 2, Maximum: 6, Held: 6, Floor: 2},
			{Name: "b", Created: at(2), GPUs: 1, Minimum: 2, Maximum: 6, Held: 6, Floor: 2},
			{Name: "c", Created: at(0), GPUs: 1, Minimum: 1, Maximum: 1},
		}, []policy.Allocation{granted(2, 2), refused(2), refused(0)}},
		"a part of a replica goes to a younger lease": {5, []policy.Claim{
			{Name: "a", Created: at(1), GPUs: 4, Minimum: 1, Maximum: 2, Held: 8, Floor: 4}, {Name: "b", Created: at(2), GPUs: 1, Minimum: 1, Maximum: 2, Held: 2},
		}, []policy.Allocation{granted(1, 4), granted(1, 1)}},
		"what a lease gives up is free once it is no longer held": {8, []policy.Claim{
			{Name: "a", Created: at(1), GPUs: 1, Minimum: 1, Maximum: 2, Held: 8, Floor: 1}, {Name: "b", Created: at(2), GPUs: 1, Minimum: 1, Maximum: 4},
		}, []policy.Allocation{granted(2, 2), refused(0)}},
		"an increase that does not fit is refused, and the lease keeps what it has": {4, []policy.Claim{
			{Name: "a", GPUs: 4, Minimum: 2, Maximum: 2, Held: 3, Floor: 1},
		}, []policy.Allocation{refused(3)}},
		"more GPUs for each of fewer replicas": {4, []policy.Claim{
			{Name: "a", GPUs: 2, Minimum: 1, Maximum: 4, Held: 4, Floor: 1},
		}, []policy.Allocation{granted(2, 4)}},
	} {
		require.Equal(t, test.want, policy.Allocate(test.budget, test.claims), name)
	}
}

// TestAllocateProperties checks random claims, and what happens when the leases take their
// allocations one after another in a random order.
func TestAllocateProperties(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5000) {
		r := rand.New(rand.NewPCG(seed, 0))
		budget, claims := r.Int64N(20), make([]policy.Claim, r.IntN(6))
		for i := range claims {
			c := policy.Claim{Name: fmt.Sprint(i), Created: at(r.Int64N(3)), GPUs: r.Int64N(4), Maximum: r.Int64N(6)}
			c.Minimum = min(1+r.Int64N(6), c.Maximum)
			if r.IntN(2) == 0 {
				c.Held = r.Int64N(10)
				c.Floor = r.Int64N(c.Held + 1)
			}
			claims[i] = c
		}
		start := fmt.Sprintf("seed %d: %d %+v", seed, budget, claims)
		before, floors := held(claims), int64(0)
		for _, c := range claims {
			floors += min(c.Floor, c.Maximum*c.GPUs)
		}
		for range 3 * len(claims) {
			// No lease gets more than what no other lease holds.
			i := r.IntN(len(claims))
			a := policy.Allocate(budget, claims)[i]
			c := &claims[i]
			require.True(t, a.Refused || a.Replicas >= c.Minimum && a.Replicas <= c.Maximum && a.GPUs == a.Replicas*c.GPUs, start)
			require.True(t, a.GPUs <= c.Held || held(claims)-c.Held+a.GPUs <= budget, start)
			require.True(t, !a.Refused || a.GPUs >= min(c.Floor, c.Held, c.Maximum*c.GPUs), start)
			c.Held = a.GPUs
			require.LessOrEqual(t, held(claims), max(budget, before), start)
		}
		// All leases take their allocations: what is given up is free then, and after that
		// nothing changes.
		for range 2 {
			for i, a := range policy.Allocate(budget, claims) {
				claims[i].Held = a.GPUs
			}
		}
		require.LessOrEqual(t, held(claims), max(budget, floors), start)
		settled := policy.Allocate(budget, claims)
		for i, a := range settled {
			require.Equal(t, claims[i].Held, a.GPUs, start)
		}
		// A larger budget takes nothing from a lease that is granted.
		for i, a := range policy.Allocate(budget+r.Int64N(5), claims) {
			require.True(t, settled[i].Refused || a.GPUs >= claims[i].Held, start)
		}
	}
}

// TestAllocateOldestFirst checks that younger newcomers have no effect on older ones.
func TestAllocateOldestFirst(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5000) {
		r := rand.New(rand.NewPCG(seed, 1))
		claims := make([]policy.Claim, 5)
		for i := range claims {
			claims[i] = policy.Claim{Name: fmt.Sprint(i), Created: at(int64(i)), GPUs: r.Int64N(4), Minimum: 1, Maximum: 1 + r.Int64N(4)}
		}
		budget := r.Int64N(20)
		all := policy.Allocate(budget, claims)
		for n := range claims {
			require.Equal(t, all[:n], policy.Allocate(budget, claims[:n]), "seed %d", seed)
		}
		r.Shuffle(len(claims), func(i, j int) {
			claims[i], claims[j], all[i], all[j] = claims[j], claims[i], all[j], all[i]
		})
		require.Equal(t, all, policy.Allocate(budget, claims), "seed %d", seed)
	}
}

func held(claims []policy.Claim) (sum int64) {
	for _, c := range claims {
		sum += c.Held
	}
	return sum
}

func TestBudget(t *testing.T) {
	t.Parallel()
	four, two := int64(4), int64(2)
	config := terms("1h", "2h", true)
	config.Budget = policy.BudgetConfig{GPUs: &four, Namespaces: map[string]policy.NamespaceBudget{"vision": {GPUs: &two}, "free": {}}}
	bounds, err := policy.NewLeaseBounds(config, "1m")
	require.NoError(t, err)
	budget, ok := bounds.Budget("other")
	require.True(t, ok)
	require.Equal(t, policy.Budget{GPUs: 4, Key: "server.leases.budget.gpus"}, budget)
	_, ok = bounds.Budget("free")
	require.False(t, ok)
	budget, ok = bounds.Budget("vision")
	require.True(t, ok)
	require.Equal(t, policy.Budget{GPUs: 2, Key: "server.leases.budget.namespaces.vision.gpus"}, budget)
	require.Equal(t, []string{"free", "vision"}, bounds.BudgetNamespaces())

	claims := []policy.Claim{
		{Name: "a", Held: 1}, {Name: "b", Held: 3}, {Name: "c", Held: 2}, {Name: "d"}, {Name: "me", GPUs: 2, Minimum: 2, Maximum: 2, Held: 4}, {Name: "e"},
	}
	allocations := make([]policy.Allocation, len(claims))
	require.Equal(t, "6 of 2 GPUs are used by b (3), c (2), a (1)", budget.OthersUse(claims, allocations, 4))
	allocations[5].GPUs = 1
	sentence := budget.OthersUse(claims, allocations, 4)
	require.Equal(t, "7 of 2 GPUs are used by b (3), c (2), a (1) and 1 more", sentence)
	require.Equal(t, "the budget is 2 GPUs", budget.OthersUse(claims[4:5], allocations[4:5], 0))

	refusal := budget.Refuse(field.NewPath("spec"), claims[4], true, sentence)
	require.Equal(t, "spec.autoscaling.replicas.minimum: Forbidden: 4 GPUs (2 for each of 2 replicas) do not fit in the budget of the namespace, "+
		"server.leases.budget.namespaces.vision.gpus: 7 of 2 GPUs are used by b (3), c (2), a (1) and 1 more; ask for less, release a lease, or ask the administrator for a larger budget",
		refusal.Error())
	require.Equal(t, "spec.triton.resources.limits", budget.Refuse(field.NewPath("spec"), claims[4], false, "").Field)
}
