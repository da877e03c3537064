package triton

import (
	"math"
	"math/rand/v2"
	"time"
)

// queue is one model in one Triton: a queue and its instances. Each instance serves one
// request at a time. The simulation advances from event to event, so its result does not
// depend on the speed of the machine.
type queue struct {
	now     time.Time
	random  *rand.Rand
	rate    float64     // of arrivals, per second
	next    time.Time   // next arrival; zero if the rate is 0
	waiting []time.Time // arrivals of the waiting requests
	busy    []time.Time // completions of the requests that the instances serve
	begun   []time.Time // starts of these requests
	waited  []time.Duration

	counters
	busySeconds float64 // of all instances together
}

// counters are the counters of Triton. Triton does not count dropped requests.
type counters struct {
	success, executed           uint64
	queued, computed, requested time.Duration
	rejected, dropped           uint64
}

func newQueue(now time.Time, seed uint64) *queue {
	return &queue{now: now, random: rand.New(rand.NewPCG(seed, 1))}
}

// pending returns the number of requests that wait for an instance.
func (q *queue) pending() int { return len(q.waiting) }

// setRate changes the rate of arrivals. The arrivals are memoryless, so setRate draws the
// next one again.
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

// advance moves the queue to a time.
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
			if b.Jammed { // started requests do not complete
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
		if at.Before(q.now) { // the event became overdue when the behavior changed
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

// complete completes the request of one instance. Triton updates its counters only now.
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

// service draws a service time, with a standard deviation of a tenth of the mean.
func (b Behavior) service(random *rand.Rand) time.Duration {
	spread := 1 + 0.1*math.Max(-2, math.Min(2, random.NormFloat64()))
	return time.Duration(spread * float64(b.Service))
}
