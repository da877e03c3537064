package hpasim

// Model is a model that Triton serves, with the threshold of its lease.
type Model struct {
	// Instances is the number of requests that a pod serves at the same time.
	Instances int
	// Service is the time for which one request occupies an instance, in
	// seconds. It is constant, because there are no batches.
	Service float64
	// Threshold is the queueTime threshold of the lease, in seconds.
	Threshold float64
}

// DefaultModel returns a model that serves 20 requests per second and pod. At the
// threshold four requests wait in a pod, and its instances are busy 90 % of the time.
func DefaultModel() Model { return Model{Instances: 2, Service: 0.1, Threshold: 0.2} }

// Capacity returns the number of requests per second that a pod can serve.
func (m Model) Capacity() float64 { return float64(m.Instances) / m.Service }

// request is one request in a pod.
type request struct {
	// sent is the time at which the client first sent it, arrived the time at which
	// this pod got it. They differ if the client had to send it again because its
	// first pod was killed.
	sent, arrived float64
	// start is the time at which an instance begins to serve it.
	start float64
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
	// requests are in the order of their start. Those before done have
	// completed; those before begun have left the queue.
	requests    []request
	begun, done int

	// success and queued are nv_inference_request_success and
	// nv_inference_queue_duration_us. As in Triton, they change when a request
	// completes.
	success, queued float64
}

func newPod(name string, number int, model Model, now float64) *Pod {
	return &Pod{name: name, number: number, model: model, created: now, free: make([]float64, model.Instances)}
}

// enqueue adds a request to the pod. The queue is FIFO and the service time is
// constant, so the start of the request is known at once: the time at which the
// first instance is free.
func (p *Pod) enqueue(sent, now float64) {
	first := 0
	for i, free := range p.free {
		if free < p.free[first] {
			first = i
		}
	}
	start := max(now, p.free[first])
	p.free[first] = start + p.model.Service
	p.requests = append(p.requests, request{sent: sent, arrived: now, start: start})
}

// advance moves the pod to now, and returns the time beyond the threshold that the
// requests which left the queue have waited.
func (p *Pod) advance(now float64) (over float64) {
	for ; p.begun < len(p.requests) && p.requests[p.begun].start <= now; p.begun++ {
		over += max(0, p.requests[p.begun].start-p.requests[p.begun].sent-p.model.Threshold)
	}
	for ; p.done < p.begun && p.requests[p.done].start+p.model.Service <= now; p.done++ {
		p.success++
		p.queued += 1e6 * (p.requests[p.done].start - p.requests[p.done].arrived)
	}
	if p.done > 4096 && 2*p.done > len(p.requests) {
		p.requests = append(p.requests[:0], p.requests[p.done:]...)
		p.begun -= p.done
		p.done = 0
	}
	return over
}

// pending returns nv_inference_pending_request_count: the requests that are enqueued
// and not begun.
func (p *Pod) pending() int { return len(p.requests) - p.begun }

// idle reports whether all requests of the pod have completed.
func (p *Pod) idle() bool { return p.done == len(p.requests) }

// waiting yields the time at which each request that still waits was first sent.
func (p *Pod) waiting(yield func(sent float64) bool) {
	for _, r := range p.requests[p.begun:] {
		if !yield(r.sent) {
			return
		}
	}
}
