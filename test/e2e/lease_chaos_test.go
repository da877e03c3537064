//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseChaos: whoever leads is killed in the middle of its work, again and
// again. At the end every lease is as if nothing had happened.
func TestLeaseChaos(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-chaos")
	l := s.ownLeases(3)
	const seed, rounds, batch = 42, 5, 6
	random := rand.New(rand.NewPCG(seed, 0))
	s.step("the seed is %d", seed)
	specs := []string{
		`{` + vision + `, triton: {replicas: 0}}`,
		`{` + vision + `, duration: 8h, autoRenew: true, triton: {replicas: 0}}`,
		`{` + vision + `, autoscaling: {enable: true, replicas: {maximum: 2}}}`,
	}
	kinds := []string{plainKinds, renewingKinds, scaledKinds}
	spec := map[string]int{}
	var leader leader
	for round := range rounds {
		leader = l.waitLeader(leader)
		var work sync.WaitGroup
		apply := func(name string, i int) {
			spec[name] = i
			work.Go(func() {
				if err := l.try(name, specs[i]); err != nil {
					s.Error(err)
				}
			})
		}
		for i := range batch {
			apply(fmt.Sprintf("r%d-%d", round, i), random.IntN(len(specs)))
		}
		if round > 0 { // of the leases of the round before, two change and two go, of which one comes back
			former := func(i int) string { return fmt.Sprintf("r%d-%d", round-1, i) }
			for i := range 2 {
				apply(former(i), (spec[former(i)]+1)%len(specs))
			}
			l.delete(former(2))
			l.delete(former(3))
			apply(former(3), (spec[former(3)]+1)%len(specs))
			delete(spec, former(2))
		}
		s.pause(time.Duration(random.IntN(1200)) * time.Millisecond)
		s.must(h.Node.CrashContainer(l.namespace, leader.pod(), "tms-server"))
		s.step("killed %s, which led", leader)
		if round%2 == 1 { // and nobody is there who could take over at once
			pods, err := l.serverPods(s.Context())
			s.must(err)
			for name := range pods {
				if name != leader.pod() && h.Node.CrashContainer(l.namespace, name, "tms-server") == nil {
					s.step("killed %s, too", name)
				}
			}
		}
		work.Wait()
	}
	for name, i := range spec {
		l.is(name, "Granted", metav1.ConditionTrue, "Granted")
		l.has(name, kinds[i])
		if i == 2 {
			l.serves(name)
		}
	}
	s.eventually("nothing is there that no lease owns", func() (bool, string) {
		orphans, err := l.orphans(s.Context())
		return err == nil && orphans == "", fmt.Sprint(orphans, err)
	})
	l.pauseLeader(l.waitLeader(leader), spec)
}

// pauses stops the leader for so long that another one leads, and lets it go on.
func (l *leases) pauseLeader(leader leader, spec map[string]int) {
	l.Helper()
	l.must(h.Node.SignalContainer(l.namespace, leader.pod(), "tms-server", syscall.SIGSTOP))
	l.step("paused %s, which leads", leader)
	next := l.waitLeader(leader)
	for name, i := range spec { // what the paused one knows becomes old
		if i == 2 {
			l.patch(name, `{"autoscaling":{"replicas":{"maximum":4}}}`)
		}
	}
	for name, i := range spec {
		if i == 2 {
			l.maximum(name, 4)
		}
	}
	l.must(h.Node.SignalContainer(l.namespace, leader.pod(), "tms-server", syscall.SIGCONT))
	l.step("%s goes on, and %s leads", leader, next)
	// It may write once more before it knows: what the one that leads sees, and corrects.
	l.quiet(15 * time.Second)
	for name, i := range spec {
		if a, summary := hpa(l.Context(), l.namespace, objectName(name)); i == 2 && a.Spec.MaxReplicas != 4 {
			l.fatal("%s is as it was before: %s", name, summary)
		}
	}
	if now, _, err := l.leader(l.Context()); err != nil || now != next {
		l.fatal("%s leads (%v)", now, err)
	}
}
