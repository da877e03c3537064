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

// TestLeaseChaos kills the leader repeatedly while it reconciles leases. At the end
// every lease must be complete.
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
		if round > 0 { // of the previous round's leases, change two, delete one, and recreate one
			previous := func(i int) string { return fmt.Sprintf("r%d-%d", round-1, i) }
			for i := range 2 {
				apply(previous(i), (spec[previous(i)]+1)%len(specs))
			}
			l.delete(previous(2))
			l.delete(previous(3))
			apply(previous(3), (spec[previous(3)]+1)%len(specs))
			delete(spec, previous(2))
		}
		s.pause(time.Duration(random.IntN(1200)) * time.Millisecond)
		s.must(h.Node.CrashContainer(l.namespace, leader.pod(), "tms-server"))
		s.step("killed the leader %s", leader)
		if round%2 == 1 { // no other server can take over at once
			pods, err := l.serverPods(s.Context())
			s.must(err)
			for name := range pods {
				if name != leader.pod() && h.Node.CrashContainer(l.namespace, name, "tms-server") == nil {
					s.step("killed %s", name)
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
	s.eventually("there are no objects without a lease", func() (bool, string) {
		orphans, err := l.orphans(s.Context())
		return err == nil && orphans == "", fmt.Sprint(orphans, err)
	})
	l.pauseLeader(l.waitLeader(leader), spec)
}

// pauseLeader pauses the leader until another server leads, and then resumes it.
func (l *leases) pauseLeader(leader leader, spec map[string]int) {
	l.Helper()
	l.must(h.Node.SignalContainer(l.namespace, leader.pod(), "tms-server", syscall.SIGSTOP))
	l.step("paused the leader %s", leader)
	next := l.waitLeader(leader)
	for name, i := range spec { // the cache of the paused server becomes stale
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
	l.step("resumed %s; the leader is %s", leader, next)
	// It may write once more before it notices. The leader corrects that.
	l.quiet(15 * time.Second)
	for name, i := range spec {
		if a, summary := hpa(l.Context(), l.namespace, objectName(name)); i == 2 && a.Spec.MaxReplicas != 4 {
			l.fatal("%s has its former maximum: %s", name, summary)
		}
	}
	if now, _, err := l.leader(l.Context()); err != nil || now != next {
		l.fatal("the leader is %s, want %s (%v)", now, next, err)
	}
}
