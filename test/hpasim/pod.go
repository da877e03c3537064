package hpasim

// Model is a model as Triton serves it, with the threshold that its lease has.
type Model struct {
	// Instances serve at the same time in each pod.
	Instances int
	// Service is how long one request occupies an instance, in seconds. It is
	// constant: a batch of one through one network takes what it takes.
	Service float64
	// Threshold is the wait that the lease accepts, in seconds.
	Threshold float64
}

// DefaultModel serves 20 requests per second and pod. At the threshold four
// requests wait in a pod, and its instances are busy nine tenths of the time.
func DefaultModel() Model { return Model{Instances: 2, Service: 0.1, Threshold: 0.2} }

// Capacity is what a pod can serve, in requests per second.
func (m Model) Capacity() float64 { return float64(m.Instances) / m.Service }

// request is one request in a pod.
type request struct {
	// born is when its client first sent it; arrived is when it came to this
	// pod. They differ where a pod ended under it and the client sent it again.
	born, arrived float64
	// start is when an instance takes it.
	start float64
}

// Pod is a Triton: one FIFO queue, without a bound as is Triton's default,
// before the instances of one model.
type Pod struct {
	name string
	// number counts pods since the start of the run, and decides when this one is scraped.
	number  int
	created float64
	running bool
	ready   bool
	readyAt float64
	// killAt is when the kubelet loses patience with a pod that ends. 0: it does not end.
	killAt float64

	model Model
	// free is when each instance is next without work.
	free []float64
	// requests are in the order of their start. Those before done have
	// completed, those before begun have left the queue.
	requests    []request
	begun, done int

	// success and queued are nv_inference_request_success and
	// nv_inference_queue_duration_us: as in Triton they move when a request
	// completes, not before.
	success, queued float64
}

func newPod(name string, number int, model Model, now float64) *Pod {
	return &Pod{name: name, number: number, model: model, created: now, free: make([]float64, model.Instances)}
}

// enqueue gives the pod a request. As the queue is FIFO and the service time
// constant, its start is known at once: when the first instance gets free.
func (p *Pod) enqueue(born, now float64) {
	first := 0
	for i, free := range p.free {
		if free < p.free[first] {
			first = i
		}
	}
	start := max(now, p.free[first])
	p.free[first] = start + p.model.Service
	p.requests = append(p.requests, request{born: born, arrived: now, start: start})
}

// advance moves the pod to now, and tells how long the requests that left the
// queue had waited beyond the threshold.
func (p *Pod) advance(now float64) (over float64) {
	for ; p.begun < len(p.requests) && p.requests[p.begun].start <= now; p.begun++ {
		over += max(0, p.requests[p.begun].start-p.requests[p.begun].born-p.model.Threshold)
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

// pending is nv_inference_pending_request_count: enqueued, and not begun.
func (p *Pod) pending() int { return len(p.requests) - p.begun }

// idle says whether the pod has nothing left to do.
func (p *Pod) idle() bool { return p.done == len(p.requests) }

// waiting yields when each request that still waits was born.
func (p *Pod) waiting(yield func(born float64) bool) {
	for _, r := range p.requests[p.begun:] {
		if !yield(r.born) {
			return
		}
	}
}
