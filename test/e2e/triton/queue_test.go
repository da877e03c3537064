package triton

import (
	"testing"
	"time"
)

// run simulates a queue with a rate of arrivals for a number of steps of 100 ms.
func run(rate float64, b Behavior, steps int) *queue {
	start := time.Unix(1e9, 0)
	q := newQueue(start, 7)
	q.setRate(rate)
	for i := 1; i <= steps; i++ {
		q.advance(start.Add(time.Duration(i)*100*time.Millisecond), b)
	}
	return q
}

func TestQueue(t *testing.T) {
	const steps = 20000 // 2000 s
	service := Behavior{Service: 50 * time.Millisecond, Instances: 1}
	mean := func(q *queue) time.Duration { return q.queued / time.Duration(max(1, q.success)) }

	// The mean wait of M/D/1 is rho / (2 (1 - rho)) times the service time.
	if got := mean(run(10, service, steps)); got < 22*time.Millisecond || got > 30*time.Millisecond {
		t.Errorf("half loaded: a mean wait of %v, want about 25 ms", got)
	}
	two := service
	two.Instances = 2
	if got := mean(run(10, two, steps)); got > 4*time.Millisecond {
		t.Errorf("two instances: a mean wait of %v, want next to nothing", got)
	}
	bounded := service
	bounded.QueueSize = 10
	q := run(100, bounded, steps)
	if got := mean(q); got < 450*time.Millisecond || got > 500*time.Millisecond {
		t.Errorf("overloaded: a mean wait of %v, want 10 x 50 ms", got)
	}
	if rate := float64(q.success) / 2000; rate < 19 || rate > 21 || q.dropped == 0 {
		t.Errorf("overloaded: %.1f/s done, %d dropped, want 20/s and many", rate, q.dropped)
	}
	jammed := bounded
	jammed.Jammed = true
	if q := run(100, jammed, steps); q.success != 0 || q.pending(jammed) != 10 || q.rejected != 0 {
		t.Errorf("jammed: %d done, %d wait, want 0 and 10", q.success, q.pending(jammed))
	}
	jammed.QueueTimeout = time.Second
	if q := run(10, jammed, steps); q.success != 0 || q.rejected < 15000 {
		t.Errorf("rejecting: %d done, %d rejected, want 0 and about 20000", q.success, q.rejected)
	}
	cached := service
	cached.CacheHits = 1
	if q := run(10, cached, steps); q.success == 0 || q.executed != 0 || q.queued != 0 {
		t.Errorf("cached: %d done, %d executed, want all and none", q.success, q.executed)
	}
}

// TestQueueUnjams checks that the queue processes overdue events after a jam, and that its
// time does not run backwards.
func TestQueueUnjams(t *testing.T) {
	start := time.Unix(1e9, 0)
	q := newQueue(start, 7)
	q.setRate(10)
	b := Behavior{Service: 10 * time.Millisecond, Instances: 1}
	q.advance(start.Add(5*time.Second), b)
	b.Jammed = true
	q.advance(start.Add(20*time.Second), b)
	waiting := q.pending(b)
	b.Jammed = false
	q.advance(start.Add(40*time.Second), b)
	if waiting < 100 || q.pending(b) > 5 || q.queued < time.Minute {
		t.Errorf("%d waited, %d wait, %v in all", waiting, q.pending(b), q.queued)
	}
}
