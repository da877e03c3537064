package simulation

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Model is a model that Triton serves, with the threshold of its lease.
type Model struct {
	// Instances is the number of requests that a pod serves at the same time.
	Instances int
	// Service is the time for which one request occupies an instance, in
	// seconds. If Spread is 0, it is constant, because there are no batches. Otherwise
	// it is the median of a lognormal distribution, and Spread is the standard deviation
	// of its logarithm. Shortest and Longest then bound the times.
	Service, Spread, Shortest, Longest float64
	// First is the time from the start of a request to its first response, in seconds. 0:
	// the first response is the only one.
	First float64
	// Engine is set if requests wait in an engine behind Triton's Python backend. Triton
	// counts a success when it hands a request over, and measures no queue.
	Engine bool
	// Threshold is the threshold of the lease, in seconds: of the queue time, or of the
	// time to the first response if First is set.
	Threshold float64
	// Drain is the time in seconds that a terminating Triton has to process its queue
	// (--exit-timeout-secs).
	Drain float64
}

// Capacity returns the number of requests per second that a pod can serve.
func (m Model) Capacity() float64 { return float64(m.Instances) / m.mean() }

// mean returns the mean service time.
func (m Model) mean() float64 {
	if m.Spread == 0 {
		return m.Service
	}
	// The part of the mean between the bounds, plus each bound times the probability beyond
	// it.
	below := func(t, shift float64) float64 {
		return 0.5 * (1 + math.Erf(((math.Log(t)-math.Log(m.Service))/m.Spread-shift)/math.Sqrt2))
	}
	between := m.Service * math.Exp(m.Spread*m.Spread/2) * (below(m.Longest, m.Spread) - below(m.Shortest, m.Spread))
	return m.Shortest*below(m.Shortest, 0) + between + m.Longest*(1-below(m.Longest, 0))
}

// draw draws a service time.
func (m Model) draw(random *rand.Rand) float64 {
	if m.Spread == 0 {
		return m.Service
	}
	return min(max(m.Service*math.Exp(m.Spread*random.NormFloat64()), m.Shortest), m.Longest)
}

// handOver is the queue time in microseconds that Triton measures if requests wait in an
// engine.
const handOver = 100

// arrival is a request of a client.
type arrival struct {
	// sent is the time at which the client first sent it.
	sent float64
	// service is the time for which it occupies an instance.
	service float64
}

// request is one request in a pod.
type request struct {
	arrival
	// arrived is the time at which this pod got it. It differs from sent if the client had
	// to send it again because its first pod was killed.
	arrived float64
	// start is the time at which an instance begins to serve it, end the time at which it
	// completes.
	start, end float64
}

// Pod is a Triton with the instances of one model and one FIFO queue before them.
// The queue is unbounded, which is Triton's default.
type Pod struct {
	name string
	// number counts the pods of a run. It decides when this pod is scraped.
	number  int
	created float64
	running bool
	ready   bool
	readyAt float64
	// killAt is the end of the grace period of a terminating pod. 0: the pod is not
	// terminating.
	killAt float64

	model Model
	// free is the time at which each instance is free again.
	free []float64
	// requests are in the order of their start. Those before begun have left the queue,
	// those before responded have their first response.
	requests         []request
	begun, responded int
	// serving are the requests in the instances, in the order of their end.
	serving []request

	// success and queued are nv_inference_request_success and
	// nv_inference_queue_duration_us. As in Triton, they change when a request
	// completes, or when Triton hands it over to an engine.
	success, queued float64
	// firstSum and firstCount are those of nv_inference_first_response_histogram_ms.
	firstSum, firstCount float64

	// covered is the time until which a begun request occupies an instance. busy is how long
	// at least one of them occupies one, until covered.
	covered, busy float64
	// advancedAt is the time of the last advance, and busyBefore is busySeconds at that time.
	// utilization is the share of the time before it in which the pod served a request.
	advancedAt, busyBefore, utilization float64
	// waits gets the wait of each request that begins. It may be nil.
	waits *Waits
}

func newPod(name string, number int, model Model, now float64) *Pod {
	return &Pod{name: name, number: number, model: model, created: now, advancedAt: now, free: make([]float64, model.Instances)}
}

// enqueue adds a request to the pod. The queue is FIFO, so the start of the request is
// known at once: the time at which the first instance is free.
func (p *Pod) enqueue(a arrival, now float64) {
	first := 0
	for i, free := range p.free {
		if free < p.free[first] {
			first = i
		}
	}
	start := max(now, p.free[first])
	p.free[first] = start + a.service
	p.requests = append(p.requests, request{arrival: a, arrived: now, start: start, end: start + a.service})
	if p.model.Engine {
		p.success++
		p.queued += handOver
	}
}

// advance moves the pod to now. It returns the time by which the requests that left the
// queue waited longer than the threshold. They wait for their first response, or for their
// start if the first response is the only one.
func (p *Pod) advance(now float64) (over float64) {
	for ; p.begun < len(p.requests) && p.requests[p.begun].start <= now; p.begun++ {
		r := p.requests[p.begun]
		over += max(0, r.start+p.model.First-r.sent-p.model.Threshold)
		p.waits.add(r.start + p.model.First - r.sent)
		p.busy += max(0, r.end-max(r.start, p.covered))
		p.covered = max(p.covered, r.end)
		i := len(p.serving)
		for i > 0 && p.serving[i-1].end > r.end {
			i--
		}
		p.serving = slices.Insert(p.serving, i, r)
	}
	for ; p.model.First > 0 && p.responded < p.begun && p.requests[p.responded].start+p.model.First <= now; p.responded++ {
		p.respond(p.requests[p.responded], p.requests[p.responded].start+p.model.First)
	}
	done := 0
	for ; done < len(p.serving) && p.serving[done].end <= now; done++ {
		p.complete(p.serving[done])
	}
	p.serving = slices.Delete(p.serving, 0, done)
	if p.model.First == 0 {
		p.responded = p.begun
	}
	if busy := p.busySeconds(now); now > p.advancedAt {
		p.utilization = (busy - p.busyBefore) / (now - p.advancedAt)
		p.advancedAt, p.busyBefore = now, busy
	}
	if p.responded > 4096 && 2*p.responded > len(p.requests) {
		p.requests = append(p.requests[:0], p.requests[p.responded:]...)
		p.begun -= p.responded
		p.responded = 0
	}
	return over
}

func (p *Pod) respond(r request, at float64) {
	p.firstCount++
	p.firstSum += 1e3 * (at - r.arrived)
}

func (p *Pod) complete(r request) {
	if p.model.First == 0 {
		p.respond(r, r.end)
	}
	if !p.model.Engine {
		p.success++
		p.queued += 1e6 * (r.start - r.arrived)
	}
}

// pending returns nv_inference_pending_request_count: the requests that are enqueued
// in Triton and not begun.
func (p *Pod) pending() int {
	if p.model.Engine {
		return 0
	}
	return len(p.requests) - p.begun
}

// busySeconds returns how long the pod has served at least one request until now, the time
// of advance.
func (p *Pod) busySeconds(now float64) float64 { return p.busy - max(0, p.covered-now) }

// idle reports whether all requests of the pod have completed.
func (p *Pod) idle() bool { return p.begun == len(p.requests) && len(p.serving) == 0 }

// waiting yields the requests that still wait.
func (p *Pod) waiting(yield func(arrival) bool) {
	for _, r := range p.requests[p.begun:] {
		if !yield(r.arrival) {
			return
		}
	}
}
