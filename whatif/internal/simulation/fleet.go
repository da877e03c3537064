package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// pendingFor is the time in seconds for which a pod is Pending: it is scheduled, and its
// containers are created. A pod that is ready earlier is Pending until then.
const pendingFor = 20

// Fleet is the pods of one Deployment and the load on them.
type Fleet struct {
	model Model
	// readyAfter is the time from the creation of a pod until it is ready, in seconds.
	readyAfter float64
	// balancing chooses the pod of each request at random, with equal probability,
	// as kube-proxy does for short connections.
	balancing *rand.Rand
	now       float64

	pods []*Pod // the replicas, the oldest first
	// ending are the pods that drain: they keep their GPU, and get no new requests.
	ending  []*Pod
	created int
	// unserved are the requests that wait until a pod is ready.
	unserved []arrival

	figures   Figures
	waits     *Waits
	direction int // of the last change of scale: +1, -1 or 0
}

// newFleet returns a fleet of pods that are ready.
func newFleet(model Model, readyAfter float64, replicas int, seed uint64) *Fleet {
	f := &Fleet{model: model, readyAfter: readyAfter, balancing: rand.New(rand.NewPCG(seed, 2)), waits: newWaits()}
	for range replicas {
		pod := f.create()
		pod.running, pod.ready = true, true
	}
	return f
}

func (f *Fleet) create() *Pod {
	pod := newPod(fmt.Sprintf("triton-%04d", f.created), f.created, f.model, f.now)
	pod.waits = f.waits
	f.created++
	f.pods = append(f.pods, pod)
	return pod
}

// Scale sets the number of replicas. Like a Deployment, it first removes pods
// that are not ready, then the pods that became ready last.
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
	f.figures.Changes++
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
		pod.killAt = f.now + f.model.Drain
		f.ending = append(f.ending, pod)
	}
}

// advance moves the fleet to now, with the requests that arrive until then.
// It returns the pods that changed their phase or readiness.
func (f *Fleet) advance(now float64, arrivals []arrival) (changed []*Pod) {
	f.figures.ReplicaSeconds += (now - f.now) * float64(len(f.pods)+len(f.ending))
	f.now = now
	var ready []*Pod
	for _, pod := range f.pods {
		if !pod.running && now >= pod.created+min(pendingFor, f.readyAfter) {
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
		f.unserved = append(f.unserved, arrivals...)
	} else {
		for _, a := range f.unserved {
			ready[f.balancing.IntN(len(ready))].enqueue(a, now)
		}
		f.unserved = f.unserved[:0]
		for _, a := range arrivals {
			ready[f.balancing.IntN(len(ready))].enqueue(a, a.sent)
		}
	}
	for _, pod := range f.pods {
		f.figures.OverThreshold += pod.advance(now)
	}
	f.ending = slices.DeleteFunc(f.ending, f.end)
	return changed
}

// ready returns the number of pods that are ready.
func (f *Fleet) ready() (n int) {
	for _, pod := range f.pods {
		if pod.ready {
			n++
		}
	}
	return n
}

// end advances a pod that drains, and reports whether the pod has ended. The
// clients of its waiting requests retry at once.
func (f *Fleet) end(pod *Pod) bool {
	f.figures.OverThreshold += pod.advance(f.now)
	if !pod.idle() && f.now < pod.killAt {
		return false
	}
	pod.waiting(func(a arrival) bool {
		f.unserved = append(f.unserved, a)
		return true
	})
	return true
}

// finish adds the time beyond the threshold of the requests that still wait, and
// returns the figures of the run.
func (f *Fleet) finish() Figures {
	add := func(a arrival) bool {
		f.figures.OverThreshold += max(0, f.now-a.sent-f.model.Threshold)
		f.waits.add(f.now - a.sent)
		return true
	}
	for _, pod := range slices.Concat(f.pods, f.ending) {
		pod.waiting(add)
	}
	for _, a := range f.unserved {
		add(a)
	}
	return f.figures
}
