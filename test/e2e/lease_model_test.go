//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseModel does at random what tenants, administrators and crashes do, on a real API
// server: two tenants create, change, renew and delete leases, the budget changes, and the
// leader is killed. When the leases come to rest, no lease is lost, each lease has what it
// was granted, and no budget is exceeded, except by refused leases that keep running. The
// controller's TestModel does the same a thousand times in memory.
func TestLeaseModel(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-model")
	const seed, rounds, acts = 13, 6, 5
	random := rand.New(rand.NewPCG(seed, 0))
	s.step("the seed is %d", seed)
	first, second := "e2e-lease-model", s.namespace("-b", nil)
	a := s.ownLeases(3, fmt.Sprintf("server: {namespaces: [%s, %s]}", first, second), modelBudget(4))
	tenants := []*leases{a, s.leasesIn(a.server, second)}
	specs := make([]map[string]bool, len(tenants)) // the leases that exist
	for i := range specs {
		specs[i] = map[string]bool{}
	}
	budget := 4
	var leader leader
	for round := range rounds {
		for range acts {
			i := random.IntN(len(tenants))
			tenant, existing := tenants[i], slices.Sorted(maps.Keys(specs[i]))
			act := random.IntN(10)
			if len(existing) == 0 || len(existing) < 4 && act < 4 {
				name := fmt.Sprintf("r%d-%d", round, random.IntN(1000))
				tenant.apply(name, modelSpec(random))
				specs[i][name] = true
				continue
			}
			name := existing[random.IntN(len(existing))]
			switch {
			case act < 6:
				tenant.apply(name, modelSpec(random))
			case act == 6:
				tenant.patch(name, fmt.Sprintf(`{"renewTime":%q}`, time.Now().UTC().Format(time.RFC3339)))
			default:
				tenant.delete(name)
				delete(specs[i], name)
			}
		}
		switch round % 3 {
		case 0:
			leader = a.waitLeader(leader)
			s.must(h.Node.CrashContainer(a.namespace, leader.pod(), "tms-server"))
			s.step("killed the leader %s", leader)
		case 1:
			budget = 1 + random.IntN(4)
			a.configure(modelBudget(budget))
		}
		for i, tenant := range tenants {
			s.eventually(fmt.Sprintf("round %d: the leases of %s are at rest, with a budget of %d", round, tenant.namespace, budget), func() (bool, string) {
				problem := tenant.modelProblem(s.Context(), specs[i], budget)
				return problem == "", problem
			})
		}
	}
}

func modelBudget(gpus int) string { return fmt.Sprintf("server: {leases: {budget: {gpus: %d}}}", gpus) }

// modelSpec returns a lease of up to three replicas with one GPU each.
func modelSpec(random *rand.Rand) string {
	if random.IntN(2) == 0 {
		return oneGPU(1 + random.IntN(3))
	}
	return fmt.Sprintf("{%s, triton: {resources: {limits: {nvidia.com/gpu: 1}}}, autoscaling: {enable: true, replicas: {maximum: %d}}}", vision, 1+random.IntN(3))
}

// modelProblem returns what is wrong with the leases of a namespace, or "".
func (l *leases) modelProblem(ctx context.Context, expected map[string]bool, budget int) string {
	var list struct{ Items []tritonLease }
	if err := l.read(ctx, "/apis/tms.triton-leases.dev/v1alpha1/namespaces/"+l.namespace+"/tritonleases", &list); err != nil {
		return err.Error()
	}
	names := map[string]bool{}
	used, keptRunning := int64(0), false
	var state []string
	for i := range list.Items {
		lease := &list.Items[i]
		names[lease.Name] = true
		granted := lease.condition("Granted")
		uses, err := l.mostGPUs(ctx, lease.Name)
		if err != nil {
			return err.Error()
		}
		charged := int64(0)
		if lease.Status.Budget != nil {
			charged = lease.Status.Budget.Charged
		}
		state = append(state, fmt.Sprintf("%s %s charged %d uses %d", lease.Name, granted.Reason, charged, uses))
		switch {
		case granted.ObservedGeneration != lease.Generation:
			return lease.Name + " is not reconciled"
		case charged != uses:
			return fmt.Sprintf("%s is charged %d GPUs and can use %d: %s", lease.Name, charged, uses, granted.Message)
		case granted.Status == metav1.ConditionFalse && !strings.Contains(granted.Message, "do not fit in the budget"):
			return lease.Name + " is refused: " + granted.Message
		}
		used += uses
		keptRunning = keptRunning || granted.Status == metav1.ConditionFalse && uses > 0
	}
	if !maps.Equal(names, expected) {
		return fmt.Sprintf("the leases are %v, want %v", slices.Sorted(maps.Keys(names)), slices.Sorted(maps.Keys(expected)))
	}
	if used > int64(budget) && !keptRunning {
		return fmt.Sprintf("%d GPUs are used: %v", used, state)
	}
	orphans, err := l.orphans(ctx)
	if err != nil || orphans != "" {
		return fmt.Sprintf("objects without a lease: %s %v", orphans, err)
	}
	return ""
}

// mostGPUs returns how many GPUs the objects of a lease can use, with one GPU for each
// replica.
func (l *leases) mostGPUs(ctx context.Context, lease string) (int64, error) {
	deployments, err := l.cluster.Client.AppsV1().Deployments(l.namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + objectName(lease)})
	if err != nil || len(deployments.Items) == 0 {
		return 0, err
	}
	most := int64(*deployments.Items[0].Spec.Replicas)
	autoscalers, err := l.cluster.Client.AutoscalingV2().HorizontalPodAutoscalers(l.namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + objectName(lease)})
	for _, autoscaler := range autoscalers.Items {
		most = int64(autoscaler.Spec.MaxReplicas)
	}
	return most, err
}
