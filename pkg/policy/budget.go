package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Budget is how many GPUs the TritonLeases of one namespace may have together.
type Budget struct {
	GPUs int64
	// Key is the path of the values key that sets it.
	Key string
}

const budgetKey = "server.leases.budget"

// Budget returns the budget of a namespace, and whether there is one.
func (b *LeaseBounds) Budget(namespace string) (Budget, bool) {
	config := b.config.Budget
	gpus, key := config.GPUs, budgetKey+".gpus"
	if own, ok := config.Namespaces[namespace]; ok {
		gpus, key = own.GPUs, budgetKey+".namespaces."+namespace+".gpus"
	}
	if gpus == nil {
		return Budget{}, false
	}
	return Budget{GPUs: *gpus, Key: key}, true
}

// BudgetNamespaces returns the namespaces that the configuration names, sorted.
func (b *LeaseBounds) BudgetNamespaces() []string {
	var names []string
	for name := range b.config.Budget.Namespaces {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Claim is what one lease asks of the budget of its namespace, and what it has.
type Claim struct {
	Name    string
	Created time.Time
	// GPUs is the number of GPUs of one replica. Minimum and Maximum are the replicas that
	// the lease asks for: Maximum if possible, Minimum at least.
	GPUs, Minimum, Maximum int64
	// Held is the number of GPUs that the lease is charged now.
	Held int64
	// Floor is the part of Held that a running lease keeps if the budget shrinks.
	Floor int64
}

// Allocation is what one lease gets of a budget.
type Allocation struct {
	// Replicas is the highest number of replicas. It is 0 if the lease is refused.
	Replicas int64
	// GPUs is the charge. A refused lease is charged what it keeps running.
	GPUs int64
	// Refused reports whether not even the minimum of the lease fits.
	Refused bool
}

// Allocate divides a budget between the leases of one namespace. It returns one allocation
// for each claim.
//
// A lease keeps what it holds, unless it asks for less. If the leases hold more than the
// budget, the youngest lose first, but none falls below its floor. After that, the leases
// that ask for more than they hold are served by age, only from what no lease holds: the
// GPUs that a lease is about to give up are free in the next call, when it no longer holds
// them. Therefore the leases can take their allocations one after another, in any order, and
// never exceed the budget together.
//
// A lease that does not fit does not hold back younger ones that do.
func Allocate(budget int64, claims []Claim) []Allocation {
	order := make([]int, len(claims))
	kept := make([]int64, len(claims)) // of Held
	left, free := budget, budget
	for i, c := range claims {
		order[i] = i
		kept[i] = min(c.Floor, c.Held, c.wanted())
		left -= kept[i]
		free -= c.Held
	}
	slices.SortFunc(order, func(i, j int) int { return CompareAge(claims[i], claims[j]) })
	for _, i := range order {
		more := min(claims[i].Held, claims[i].wanted()) - kept[i]
		if more > left {
			more = max(left, 0)
			if rest := (kept[i] + more) % max(claims[i].GPUs, 1); rest <= more {
				more -= rest // a part of a replica helps only a younger lease
			}
		}
		kept[i] += more
		left -= more
	}
	allocations := make([]Allocation, len(claims))
	used := int64(0)
	for _, i := range order {
		c := claims[i]
		available := kept[i]
		if free > 0 {
			available = c.Held + free
		}
		a := Allocation{Replicas: c.Maximum}
		if c.GPUs > 0 {
			a.Replicas = min(c.Maximum, available/c.GPUs)
		}
		a.GPUs = a.Replicas * c.GPUs
		if a.Replicas < c.Minimum || a.GPUs > 0 && a.GPUs <= c.Held && used+a.GPUs > budget {
			a = Allocation{GPUs: kept[i], Refused: true}
		}
		used += a.GPUs
		free -= max(a.GPUs-c.Held, 0)
		allocations[i] = a
	}
	return allocations
}

func (c Claim) wanted() int64 { return c.Maximum * c.GPUs }

// CompareAge orders claims by creation time, and by name if they are of the same second.
func CompareAge(a, b Claim) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
}

// OthersUse returns the sentence about the leases besides one that use a budget. A lease
// uses what it holds, or what it is about to get.
func (b Budget) OthersUse(claims []Claim, allocations []Allocation, except int) string {
	type user struct {
		name string
		gpus int64
	}
	var users []user
	total := int64(0)
	for i, c := range claims {
		if gpus := max(c.Held, allocations[i].GPUs); gpus > 0 && i != except {
			users = append(users, user{c.Name, gpus})
			total += gpus
		}
	}
	if len(users) == 0 {
		return fmt.Sprintf("the budget is %d GPUs", b.GPUs)
	}
	slices.SortFunc(users, func(a, b user) int { return cmp.Or(cmp.Compare(b.gpus, a.gpus), strings.Compare(a.name, b.name)) })
	const most = 3
	names := make([]string, 0, most)
	for _, u := range users[:min(len(users), most)] {
		names = append(names, fmt.Sprintf("%s (%d)", u.name, u.gpus))
	}
	sentence := fmt.Sprintf("%d of %d GPUs are used by %s", total, b.GPUs, strings.Join(names, ", "))
	if more := len(users) - most; more > 0 {
		sentence += fmt.Sprintf(" and %d more", more)
	}
	return sentence
}

// Refuse refuses a lease if not even the minimum of its claim fits. The path is that of
// the lease. othersUse is the sentence of OthersUse.
func (b Budget) Refuse(path *field.Path, c Claim, autoscaled bool, othersUse string) *field.Error {
	at := path.Child("triton", "resources", "limits")
	if autoscaled {
		at = path.Child("autoscaling", "replicas", "minimum")
	}
	return field.Forbidden(at, fmt.Sprintf(
		"%d GPUs (%d for each of %d replicas) do not fit in the budget of the namespace, %s: %s; ask for less, release a lease, or ask the administrator for a larger budget",
		c.Minimum*c.GPUs, c.GPUs, c.Minimum, b.Key, othersUse))
}
