package triton

import (
	"errors"
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
	rate    float64    // of simulated arrivals, per second
	next    time.Time  // next simulated arrival; zero if the rate is 0
	waiting []*request // for an instance
	busy    []*request // in the instances
	// wake is called with the time at which a real request will complete. It may be nil.
	wake func(time.Time)

	counters
	first       histogram // of the time to the first response
	busySeconds float64   // of all instances together
}

// request is a request in a queue.
type request struct {
	arrived, begun time.Time
	// respond and complete are the times of its first response and of its completion.
	respond, complete time.Time
	responded         bool
	// answer receives the result of a real request. It is nil for a simulated one.
	answer chan<- error
}

var (
	errQueueFull = errors.New("exceeds maximum queue size")
	errTimeout   = errors.New("request timeout expired")
)

// counters are the counters of Triton. Triton does not count dropped requests.
type counters struct {
	success, executed           uint64
	queued, computed, requested time.Duration
	rejected, dropped           uint64
}

// handOver is the time in which Triton gives a request to an engine.
const handOver = 100 * time.Microsecond

func newQueue(now time.Time, seed uint64) *queue {
	return &queue{now: now, random: rand.New(rand.NewPCG(seed, 1))}
}

// pending returns the number of requests that wait for an instance in Triton's own queue.
func (q *queue) pending(b Behavior) int {
	if b.Engine != "" {
		return 0
	}
	return len(q.waiting)
}

// idle reports whether the queue has no requests.
func (q *queue) idle() bool { return len(q.waiting)+len(q.busy) == 0 }

// setRate changes the rate of simulated arrivals. The arrivals are memoryless, so setRate
// draws the next one again.
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
		earlier(q.next, func() {
			q.draw(q.now)
			q.arrive(&request{arrived: q.now}, b)
		})
		for i, r := range q.busy {
			if b.Jammed { // started requests neither respond nor complete
				break
			}
			if !r.responded {
				earlier(r.respond, func() { q.respond(r) })
			}
			earlier(r.complete, func() { q.complete(i, b) })
		}
		if b.QueueTimeout > 0 && b.Engine == "" && len(q.waiting) > 0 {
			earlier(q.waiting[0].arrived.Add(b.QueueTimeout), func() {
				q.waiting[0].end(errTimeout)
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

// submit adds a real request, which arrives now. The channel needs a buffer of one.
func (q *queue) submit(answer chan<- error, b Behavior) {
	q.arrive(&request{arrived: q.now, answer: answer}, b)
	q.begin(b)
}

func (q *queue) arrive(r *request, b Behavior) {
	switch {
	case q.random.Float64() < b.CacheHits: // answered from the response cache: no execution
		q.success++
		q.requested += 100 * time.Microsecond
		q.first.observe(100 * time.Microsecond)
		r.end(nil)
	case b.QueueSize > 0 && len(q.waiting) >= b.QueueSize:
		q.dropped++
		r.end(errQueueFull)
	default:
		q.waiting = append(q.waiting, r)
		if b.Engine == EnginePython { // execute returns, and Triton counts a success
			q.count(handOver, 0)
		}
	}
}

// begin gives waiting requests to free instances.
func (q *queue) begin(b Behavior) {
	for !b.Jammed && len(q.waiting) > 0 && len(q.busy) < max(1, b.Instances) {
		r := q.waiting[0]
		q.waiting = q.waiting[1:]
		service := b.service(q.random)
		r.begun, r.respond, r.complete = q.now, q.now.Add(service), q.now.Add(service)
		if b.Prefill > 0 && b.Prefill < service {
			r.respond = q.now.Add(b.Prefill)
		}
		q.busy = append(q.busy, r)
		if r.answer != nil && q.wake != nil {
			q.wake(r.complete)
		}
	}
}

func (q *queue) respond(r *request) {
	r.responded = true
	q.first.observe(r.respond.Sub(r.arrived))
}

// complete completes the request of one instance. Without an engine that queues, Triton
// updates its counters only now.
func (q *queue) complete(i int, b Behavior) {
	r := q.busy[i]
	if !r.responded {
		q.respond(r)
	}
	switch waited, computed := r.begun.Sub(r.arrived), r.complete.Sub(r.begun); b.Engine {
	case "":
		q.count(waited, computed)
	case EngineTensorRT:
		q.count(handOver, waited+computed-handOver)
	}
	r.end(nil)
	q.busy = append(q.busy[:i], q.busy[i+1:]...)
}

// count counts a success.
func (q *queue) count(queued, computed time.Duration) {
	q.success++
	q.executed++
	q.queued += queued
	q.computed += computed
	q.requested += queued + computed
}

// end answers a real request.
func (r *request) end(err error) {
	if r.answer != nil {
		r.answer <- err
	}
}

// service draws a service time, with a standard deviation of a tenth of the mean.
func (b Behavior) service(random *rand.Rand) time.Duration {
	spread := 1 + 0.1*math.Max(-2, math.Min(2, random.NormFloat64()))
	return time.Duration(spread * float64(b.Service))
}

// bounds are the default buckets of Triton's histograms, in milliseconds.
var bounds = [...]float64{100, 500, 2000, 5000}

// histogram is a histogram of durations.
type histogram struct {
	buckets [len(bounds)]uint64 // cumulative
	count   uint64
	sum     time.Duration
}

func (h *histogram) observe(d time.Duration) {
	h.count++
	h.sum += d
	for i, bound := range bounds {
		if float64(d)/float64(time.Millisecond) <= bound {
			h.buckets[i]++
		}
	}
}
