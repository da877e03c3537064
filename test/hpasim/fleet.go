package hpasim

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

const (
	// pendingFor is how long a pod is Pending: scheduling, and containers made. Seconds.
	pendingFor = 20
	// drainFor is how long a Triton that is told to end may work off its queue:
	// --exit-timeout-secs, 30 s where it is not set.
	drainFor = 30
)

// Fleet is the pods of one Deployment and the load on them.
type Fleet struct {
	model Model
	// readyAfter is how long a pod takes from its creation until it serves, in seconds.
	readyAfter float64
	// balancing chooses the pod of each request, evenly at random: what
	// kube-proxy does with short connections.
	balancing *rand.Rand
	now       float64

	pods []*Pod // that are wanted, the oldest first
	// ending are pods that drain: they hold their GPU, and get no new requests.
	ending  []*Pod
	created int
	// homeless are requests that found no pod ready.
	homeless []float64

	figures   Figures
	direction int // of the last change of scale: +1, -1 or 0
}

// newFleet returns a fleet whose pods already serve.
func newFleet(model Model, readyAfter float64, replicas int, seed uint64) *Fleet {
	f := &Fleet{model: model, readyAfter: readyAfter, balancing: rand.New(rand.NewPCG(seed, 2))}
	for range replicas {
		pod := f.create()
		pod.running, pod.ready = true, true
	}
	return f
}

func (f *Fleet) create() *Pod {
	pod := newPod(fmt.Sprintf("triton-%04d", f.created), f.created, f.model, f.now)
	f.created++
	f.pods = append(f.pods, pod)
	return pod
}

// Scale sets the number of replicas, as a Deployment does: pods that are not
// ready go first, then those that were ready for the shortest time.
func (f *Fleet) Scale(replicas int) {
	if replicas == len(f.pods) {
		return
	}
	direction := 1
	if replicas < len(f.pods) {
		direction = -1
	}
	if f.direction == -direction {
		f.figures.DirectionChanges++
	}
	f.direction = direction
	for len(f.pods) < replicas {
		f.create()
	}
	for len(f.pods) > replicas {
		last := len(f.pods) - 1
		for i, pod := range f.pods {
			if !pod.ready {
				last = i
			}
		}
		pod := f.pods[last]
		f.pods = slices.Delete(f.pods, last, last+1)
		pod.killAt = f.now + drainFor
		f.ending = append(f.ending, pod)
	}
}

// advance moves the fleet to now, with the requests that arrive until then.
// It returns the pods whose phase or readiness changed.
func (f *Fleet) advance(now float64, arrivals []float64) (changed []*Pod) {
	f.figures.ReplicaSeconds += (now - f.now) * float64(len(f.pods)+len(f.ending))
	f.now = now
	var ready []*Pod
	for _, pod := range f.pods {
		if !pod.running && now >= pod.created+pendingFor {
			pod.running = true
			changed = append(changed, pod)
		}
		if !pod.ready && now >= pod.created+f.readyAfter {
			pod.ready, pod.readyAt = true, now
			changed = append(changed, pod)
		}
		if pod.ready {
			ready = append(ready, pod)
		}
	}
	if len(ready) == 0 {
		f.homeless = append(f.homeless, arrivals...)
	} else {
		for _, born := range f.homeless {
			ready[f.balancing.IntN(len(ready))].enqueue(born, now)
		}
		f.homeless = f.homeless[:0]
		for _, at := range arrivals {
			ready[f.balancing.IntN(len(ready))].enqueue(at, at)
		}
	}
	for _, pod := range f.pods {
		f.figures.OverThreshold += pod.advance(now)
	}
	f.ending = slices.DeleteFunc(f.ending, f.end)
	return changed
}

// end works on a pod that drains, and says whether it is gone. The clients of
// those who waited in it in vain send again at once.
func (f *Fleet) end(pod *Pod) bool {
	f.figures.OverThreshold += pod.advance(f.now)
	if !pod.idle() && f.now < pod.killAt {
		return false
	}
	pod.waiting(func(born float64) bool {
		f.homeless = append(f.homeless, born)
		return true
	})
	return true
}

// finish adds what those who still wait at the end have waited beyond the threshold.
func (f *Fleet) finish() Figures {
	add := func(born float64) bool {
		f.figures.OverThreshold += max(0, f.now-born-f.model.Threshold)
		return true
	}
	for _, pod := range slices.Concat(f.pods, f.ending) {
		pod.waiting(add)
	}
	for _, born := range f.homeless {
		add(born)
	}
	return f.figures
}
