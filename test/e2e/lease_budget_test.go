//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// oneGPU returns the spec of a lease with one GPU for each of its replicas.
func oneGPU(replicas int) string {
	return fmt.Sprintf("{%s, triton: {replicas: %d, resources: {limits: {nvidia.com/gpu: 1}}}}", vision, replicas)
}

// TestLeaseBudget checks the GPU budget of a namespace. Two users race for the last GPU,
// through two servers and with kubectl: one gets it, and keeps it until its lease is
// deleted. A budget that shrinks takes from the youngest lease.
func TestLeaseBudget(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-budget")
	a := s.ownAPI(3, "server: {leases: {budget: {gpus: 4}}}")
	alice, bob := a.user("alice", allVerbs...), a.user("bob", allVerbs...)
	for _, user := range []*caller{alice, bob} {
		a.waitAuthorized(user, "List", fields{"namespace": a.namespace})
	}
	a.apply("old", oneGPU(3))
	a.serves("old")
	a.charged("old", 3)
	const refused = "1 GPUs (1 for each of 1 replicas) do not fit in the budget of the namespace, server.leases.budget.gpus"

	s.step("two users acquire the last GPU at the same time, each from its own server")
	pods, err := a.serverPods(s.Context())
	s.must(err)
	var addresses []string
	for _, pod := range pods {
		addresses = append(addresses, pod.Status.PodIP)
	}
	if len(addresses) != 2 {
		s.fatal("there are %d servers", len(addresses))
	}
	for round := range 5 {
		clients := []*caller{alice.at(addresses[round%2]), bob.at(addresses[1-round%2])}
		failures := make([]error, len(clients))
		var wait sync.WaitGroup
		for i, client := range clients {
			wait.Go(func() {
				_, failures[i] = client.acquire(s.Context(), a.acquireRequest(fields{
					"name": fmt.Sprintf("%s-%d", client.name, round), "no_wait": true,
					"spec": fields{"models": []fields{{"name": "resnet50", "uri": "s3://models/vision"}}, "resources": fields{"gpus": "1"}},
				}), nil)
			})
		}
		wait.Wait()
		// A server that knows of the other lease refuses the call. If neither knows yet, the
		// controller refuses one of the leases.
		winner, loser, refusal := -1, -1, ""
		s.eventually(fmt.Sprintf("round %d: one lease is granted, the other one is refused", round), func() (bool, string) {
			winner, loser = -1, -1
			for i, client := range clients {
				lease, err := a.get(fmt.Sprintf("%s-%d", client.name, round))
				granted := lease.condition("Granted")
				switch {
				case failures[i] != nil:
					loser, refusal = i, failures[i].Error()
				case err == nil && granted.Status == metav1.ConditionTrue:
					winner = i
				case err == nil && granted.Status == metav1.ConditionFalse:
					loser, refusal = i, granted.Message
				}
			}
			return winner >= 0 && loser >= 0 && strings.Contains(refusal, "do not fit in the budget"), fmt.Sprint(failures, refusal)
		})
		if code, _ := codeOf(failures[loser]); failures[loser] != nil && code != "failed_precondition" {
			s.fatal("round %d: the loser got %v", round, failures[loser])
		}
		s.step("round %d: %s has the GPU; %s: %s", round, clients[winner].name, clients[loser].name, refusal)
		id := fmt.Sprintf("%s-%d", clients[winner].name, round)
		a.charged(id, 1)
		for i, client := range clients {
			if failures[i] == nil {
				name := fmt.Sprintf("%s-%d", client.name, round)
				s.must(client.call(s.Context(), "Release", a.id(name), nil))
				a.gone(name)
			}
		}
	}

	s.step("two users apply leases for the last GPU at the same time")
	names := []string{"first", "second"}
	var wait sync.WaitGroup
	failures := make([]error, len(names))
	for i, name := range names {
		wait.Go(func() { failures[i] = a.try(name, oneGPU(1)) })
	}
	wait.Wait()
	for _, err := range failures {
		s.must(err)
	}
	winner, loser := "", ""
	s.eventually("one of them is granted", func() (bool, string) {
		conditions := map[string]metav1.Condition{}
		for _, name := range names {
			c := a.mustGet(name).condition("Granted")
			conditions[name] = c
			switch c.Status {
			case metav1.ConditionTrue:
				winner = name
			case metav1.ConditionFalse:
				loser = name
			}
		}
		return winner != "" && loser != "", fmt.Sprint(conditions)
	})
	a.is(loser, "Granted", metav1.ConditionFalse, "Refused", refused, "old (3)", winner+" (1)")
	a.serves(winner)
	a.charged(winner, 1)
	a.has(loser, "")
	before := map[string]string{winner: a.history(winner), loser: a.history(loser), "old": a.history("old")}
	podsUnchanged := a.snapshotPods("old", winner)
	s.consistently("no lease changes", 12*time.Second, func() (bool, string) {
		for name, was := range before {
			if now := a.history(name); now != was {
				return false, fmt.Sprintf("%s was %s, is %s", name, was, now)
			}
		}
		return true, fmt.Sprint(before)
	})
	a.quiet(5 * time.Second)
	podsUnchanged()

	s.step("the lease of the winner is deleted")
	a.delete(winner)
	a.gone(winner)
	a.serves(loser)
	a.charged(loser, 1)

	s.step("a lease that scales is granted what is left, and what others release")
	a.delete(loser)
	a.gone(loser)
	a.apply("scaled", `{`+vision+`, triton: {resources: {limits: {nvidia.com/gpu: 1}}}, autoscaling: {enable: true, replicas: {maximum: 4}}}`)
	a.is("scaled", "Granted", metav1.ConditionTrue, "Adjusted", "spec.autoscaling.replicas.maximum: asked 4, granted 1", "server.leases.budget.gpus", "old (3)")
	a.maximum("scaled", 1)
	a.patch("old", `{"triton":{"replicas":2}}`)
	a.maximum("scaled", 2)
	a.charged("scaled", 2)
	a.delete("scaled")
	a.gone("scaled")

	s.step("a budget that shrinks takes from the youngest lease")
	a.configure("server: {leases: {budget: {gpus: 5}}}")
	a.apply("young", oneGPU(3))
	a.serves("young")
	s.becomes(a.namespace, objectName("young"), 3)
	a.charged("young", 3)
	oldUnchanged := a.snapshotPods("old")
	a.configure("server: {leases: {budget: {gpus: 4}}}")
	a.is("young", "Granted", metav1.ConditionTrue, "Adjusted", "spec.triton.replicas: asked 3, granted 2", "server.leases.budget.gpus", "old (2)")
	s.becomes(a.namespace, objectName("young"), 2)
	a.charged("young", 2)
	a.is("old", "Granted", metav1.ConditionTrue, "Granted")
	oldUnchanged()
}

// charged waits until a lease is charged a number of GPUs.
func (l *leases) charged(name string, want int64) {
	l.Helper()
	l.eventually(fmt.Sprintf("%s is charged %d GPUs", name, want), func() (bool, string) {
		lease, err := l.get(name)
		b := lease.Status.Budget
		return err == nil && b != nil && b.Charged == want, fmt.Sprintf("%+v, %v", b, err)
	})
}

// history returns what changes if tms-server changes its mind about a lease: the time of
// its condition, its charge, and the generation of its Deployment.
func (l *leases) history(name string) string {
	l.Helper()
	lease := l.mustGet(name)
	c := lease.condition("Granted")
	text := fmt.Sprintf("%s since %s", c.Reason, c.LastTransitionTime.UTC().Format(time.TimeOnly))
	if lease.Status.Budget != nil {
		text += fmt.Sprintf(", charged %d", lease.Status.Budget.Charged)
	}
	d, err := l.cluster.Client.AppsV1().Deployments(l.namespace).Get(l.Context(), objectName(name), metav1.GetOptions{})
	if err == nil {
		text += fmt.Sprintf(", generation %d", d.Generation)
	}
	return text
}
