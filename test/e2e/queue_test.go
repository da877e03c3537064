//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/triton-leases/tms/test/e2e/triton"
)

// TestQueueTime checks that a lease scales from one replica to the maximum under load,
// and back.
func TestQueueTime(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "queue-time")
	namespace := s.namespace("", nil)
	s.install(3, namespace, "tms", queueLease("resnet50", 4, 100000))
	const name = "tms-resnet50"
	s.record("Queue time: one replica, four under load, one again", namespace, name, queueMetric, 100000)
	s.reads(namespace, name, queueMetric)
	s.load(namespace+"/"+name, 2)
	s.stays(namespace, name, 1, 10*time.Second)
	s.load(namespace+"/"+name, 200)
	s.becomes(namespace, name, 4)
	s.stays(namespace, name, 4, 20*time.Second)
	s.load(namespace+"/"+name, 2)
	s.becomes(namespace, name, 1)
	s.stays(namespace, name, 1, 10*time.Second)
}

// TestJam checks that a lease scales up if no request completes. The counters of Triton
// do not change then.
func TestJam(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*triton.Behavior){
		"jammed": func(b *triton.Behavior) { b.Jammed = true },
		// Requests wait for at most a tenth of a second, so the queue is empty at most
		// scrapes. Only the counter of rejections shows the jam.
		"rejecting": func(b *triton.Behavior) { b.Jammed, b.QueueTimeout = true, 100*time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, name)
			namespace := s.namespace("", nil)
			s.install(4, namespace, "tms", queueLease("resnet50", 3, 100000))
			const lease = "tms-resnet50"
			s.record("A Triton that is "+name, namespace, lease, queueMetric, 100000)
			s.reads(namespace, lease, queueMetric)
			s.load(namespace+"/"+lease, 3)
			s.stays(namespace, lease, 1, 10*time.Second)
			s.step("Triton is %s now", name)
			h.Fleet.Change(namespace+"/"+lease, change)
			s.becomes(namespace, lease, 3)
			s.stays(namespace, lease, 3, 20*time.Second)
			s.step("Triton serves again")
			h.Fleet.Change(namespace+"/"+lease, func(b *triton.Behavior) { b.Jammed, b.QueueTimeout = false, 0 })
			s.becomes(namespace, lease, 1)
		})
	}
}
