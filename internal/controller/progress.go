package controller

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/progress"
	"github.com/triton-leases/tms/internal/shorten"
)

const (
	// quickStart is how long a lease starts before it is probed: most leases never are.
	quickStart = 15 * time.Second
	// probePeriod is the time between two probes of a lease that starts. It grows with the
	// number of these leases by periodPerLease, so that thousands of them cost little.
	probePeriod    = 15 * time.Second
	periodPerLease = 50 * time.Millisecond
	// failedProbePeriod is the time between two probes of a lease whose rollout failed.
	failedProbePeriod = 5 * time.Minute
	// maxProbes is how many probes run at once, at most one in each namespace: a tenant whose
	// pods do not answer must not delay the others.
	maxProbes = 4
	// probeTimeout ends a probe.
	probeTimeout = 2 * time.Second
)

// probes probes the leases that start, beside the workers of the controller, which must not
// wait for the pods of tenants. It is safe for concurrent use.
type probes struct {
	probe func(context.Context, progress.Lease) ([]v1alpha1.ModelState, error)
	// changed is called when a probe found another state of a lease.
	changed func(client.ObjectKey)

	lock   sync.Mutex
	leases map[client.ObjectKey]*startingLease
	// due are the leases to probe, in order.
	due []client.ObjectKey
	// busy are the namespaces in which a probe runs.
	busy    map[string]bool
	running sync.WaitGroup
}

// startingLease is a lease that starts.
type startingLease struct {
	uid   types.UID
	lease progress.Lease
	// next is when it is probed next.
	next time.Time
	// isDue reports whether it is in probes.due.
	isDue bool
	// states are what the last successful probe found.
	states []v1alpha1.ModelState
}

func newProbes(probe func(context.Context, progress.Lease) ([]v1alpha1.ModelState, error), changed func(client.ObjectKey)) *probes {
	return &probes{probe: probe, changed: changed, leases: map[client.ObjectKey]*startingLease{}, busy: map[string]bool{}}
}

// observe returns what the last probe of a lease found, nil if there was none, and when to
// observe the lease again. It begins the next probe when it is time.
func (p *probes) observe(key client.ObjectKey, uid types.UID, lease progress.Lease, now time.Time, failed bool) ([]v1alpha1.ModelState, time.Duration) {
	p.lock.Lock()
	defer p.lock.Unlock()
	s := p.leases[key]
	if s == nil || s.uid != uid {
		s = &startingLease{uid: uid, next: now.Add(quickStart)}
		p.leases[key] = s
	}
	s.lease = lease
	if wait := s.next.Sub(now); wait > 0 {
		return s.states, wait
	}
	period := probePeriod + time.Duration(len(p.leases))*periodPerLease
	if failed {
		period = failedProbePeriod
	}
	s.next = now.Add(period)
	if !s.isDue {
		s.isDue = true
		p.due = append(p.due, key)
		p.begin()
	}
	return s.states, period
}

// remove forgets a lease that does not start.
func (p *probes) remove(key client.ObjectKey) {
	if p == nil {
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if s := p.leases[key]; s != nil && s.isDue {
		p.due = slices.DeleteFunc(p.due, func(k client.ObjectKey) bool { return k == key })
	}
	delete(p.leases, key)
}

// begin begins as many of the due probes as may run. The caller holds the lock.
func (p *probes) begin() {
	for len(p.busy) < maxProbes {
		i := slices.IndexFunc(p.due, func(key client.ObjectKey) bool { return !p.busy[key.Namespace] })
		if i < 0 {
			return
		}
		key := p.due[i]
		p.due = slices.Delete(p.due, i, i+1)
		var others, same []client.ObjectKey // a namespace with many leases waits after each of them
		for _, k := range p.due {
			if k.Namespace == key.Namespace {
				same = append(same, k)
			} else {
				others = append(others, k)
			}
		}
		p.due = slices.Concat(others, same)
		s := p.leases[key]
		if s == nil {
			continue
		}
		s.isDue = false
		p.busy[key.Namespace] = true
		uid, lease := s.uid, s.lease
		p.running.Go(func() { p.run(key, uid, lease) })
	}
}

// run probes a lease, and then begins the next probe.
func (p *probes) run(key client.ObjectKey, uid types.UID, lease progress.Lease) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	states, err := p.probe(ctx, lease)
	if err != nil {
		log.Log.V(1).Info("the progress of a lease is not known", "lease", key, "reason", err.Error())
	}
	p.lock.Lock()
	delete(p.busy, key.Namespace)
	s := p.leases[key]
	changed := err == nil && s != nil && s.uid == uid && !slices.Equal(s.states, states)
	if changed {
		s.states = states
	}
	p.begin()
	p.lock.Unlock()
	if changed {
		p.changed(key)
	}
}

// observeProgress adds to the status what the models of a lease do until it serves. It is the
// last step of a reconciliation, because it reconciles the lease again.
func (r *reconciliation) observeProgress() {
	if r.probes == nil {
		return
	}
	key := client.ObjectKeyFromObject(r.lease)
	ready := meta.FindStatusCondition(r.status.Conditions, v1alpha1.ConditionReady)
	starts, failed := ready.Reason == "Starting", ready.Reason == "Failed"
	if !starts && !failed || r.lease.Spec.Target != nil {
		r.status.ModelStates = nil
		r.probes.remove(key)
		return
	}
	lease := progress.Lease{Namespace: r.lease.Namespace, Selector: r.podSelector(), Models: r.lease.Spec.Models}
	states, wait := r.probes.observe(key, r.lease.UID, lease, r.startedAt, failed)
	r.requeueAfter(wait)
	if states != nil {
		r.status.ModelStates = states
	}
	if text := progress.Summary(r.status.ModelStates); text != "" {
		ready.Message = shorten.End(ready.Message+"; "+text, maxConditionMessage)
	}
}
