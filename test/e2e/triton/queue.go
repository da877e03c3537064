package triton

import (
	"math"
	"math/rand/v2"
	"time"
)

// queue is one model in one Triton: a queue before some instances, each of which
// serves one request at a time. It is advanced lazily from event to event, so
// that it comes out right however seldom the machine finds time for it.
type queue struct {
	now     time.Time
	random  *rand.Rand
	rate    float64     // of arrivals, per second
	next    time.Time   // arrival; zero where the rate is 0
	waiting []time.Time // arrivals of the requests that wait
	busy    []time.Time // when each busy instance will be done, and since when its request waited
	begun   []time.Time // of the requests in busy
	waited  []time.Duration

	counters
	busySeconds float64 // of all instances together
}

// counters are what Triton adds up.
type counters struct {
	success, executed           uint64
	queued, computed, requested time.Duration
	rejected, dropped/* which Triton counts nowhere */ uint64
}

func newQueue(now time.Time, seed uint64) *queue {
	return &queue{now: now, random: rand.New(rand.NewPCG(seed, 1))}
}

// pending is the number of requests that wait for an instance.
func (q *queue) pending() int { return len(q.waiting) }

// setRate changes the rate of arrivals. They have no memory, so the next one is drawn anew.
func (q *queue) setRate(rate float64) {
	if rate == q.rate {
		return
	}
	q.rate = rate
	q.draw(q.now)
}

func (q *queue) draw(from time.Time) {
	q.next = time.Time{}
	if q.rate > 0 {
		q.next = from.Add(time.Duration(q.random.ExpFloat64() / q.rate * float64(time.Second)))
	}
}

// advance lets time pass.
func (q *queue) advance(to time.Time, b Behavior) {
	for {
		at, event := to, func() {}
		earlier := func(t time.Time, e func()) {
			if !t.IsZero() && t.Before(at) {
				at, event = t, e
			}
		}
		earlier(q.next, func() { q.arrive(b) })
		for i, done := range q.busy {
			if b.Jammed { // what was begun does not end either
				break
			}
			earlier(done, func() { q.complete(i) })
		}
		if b.QueueTimeout > 0 && len(q.waiting) > 0 {
			earlier(q.waiting[0].Add(b.QueueTimeout), func() {
				q.waiting = q.waiting[1:]
				q.rejected++
			})
		}
		if at.Before(q.now) { // the behavior changed, so that something is overdue
			at = q.now
		}
		q.busySeconds += at.Sub(q.now).Seconds() * float64(len(q.busy))
		q.now = at
		if at.Equal(to) {
			break
		}
		event()
		q.begin(b)
	}
	q.begin(b)
}

func (q *queue) arrive(b Behavior) {
	q.draw(q.now)
	switch {
	case q.random.Float64() < b.CacheHits: // answered from the response cache: no execution
		q.success++
		q.requested += 100 * time.Microsecond
	case b.QueueSize > 0 && len(q.waiting) >= b.QueueSize:
		q.dropped++
	default:
		q.waiting = append(q.waiting, q.now)
	}
}

// begin gives waiting requests to free instances.
func (q *queue) begin(b Behavior) {
	for !b.Jammed && len(q.waiting) > 0 && len(q.busy) < max(1, b.Instances) {
		waited := q.now.Sub(q.waiting[0])
		q.waiting = q.waiting[1:]
		q.busy = append(q.busy, q.now.Add(b.service(q.random)))
		q.begun = append(q.begun, q.now)
		q.waited = append(q.waited, waited)
	}
}

// complete ends the request of one instance. Triton adds to its counters only now.
func (q *queue) complete(i int) {
	computed := q.busy[i].Sub(q.begun[i])
	q.success++
	q.executed++
	q.queued += q.waited[i]
	q.computed += computed
	q.requested += q.waited[i] + computed
	q.busy = append(q.busy[:i], q.busy[i+1:]...)
	q.begun = append(q.begun[:i], q.begun[i+1:]...)
	q.waited = append(q.waited[:i], q.waited[i+1:]...)
}

// service draws a service time: a tenth around the mean.
func (b Behavior) service(random *rand.Rand) time.Duration {
	spread := 1 + 0.1*math.Max(-2, math.Min(2, random.NormFloat64()))
	return time.Duration(spread * float64(b.Service))
}
