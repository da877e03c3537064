package controller

import (
	"math/bits"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// fairQueue is a priority queue in which the leases of one namespace do not delay those of
// others: within a band, it lowers the priority of an item by the rank of its namespace,
// which grows with the number of items that wait. The first lease of a namespace comes
// before the second one of any other.
type fairQueue struct {
	priorityqueue.PriorityQueue[reconcile.Request]

	lock sync.Mutex
	// bands are the bands of the items that wait for a worker, or for a retry. An item that
	// waits for its time is not among them.
	bands  map[reconcile.Request]int
	crowds map[lane]*crowd
}

// lane is the part of a band that belongs to one namespace.
type lane struct {
	namespace string
	band      int
}

// crowd is what waits in a lane.
type crowd struct {
	waiting int
	// rank does not fall before the lane is empty. Otherwise a lease would overtake earlier
	// ones of its namespace.
	rank int
}

// maxRank is the rank of 8,192 items. The metric workqueue_depth has a label for the
// priority, and keeps it for at most 25 priorities: three bands have 24.
const maxRank = 7

func newFairQueue(name string, limiter workqueue.TypedRateLimiter[reconcile.Request]) *fairQueue {
	return &fairQueue{
		PriorityQueue: priorityqueue.New(name, func(o *priorityqueue.Opts[reconcile.Request]) { o.RateLimiter = limiter }),
		bands:         map[reconcile.Request]int{}, crowds: map[lane]*crowd{},
	}
}

// Add implements workqueue.TypedInterface.
func (q *fairQueue) Add(item reconcile.Request) { q.AddWithOpts(priorityqueue.AddOpts{}, item) }

// AddAfter implements workqueue.TypedDelayingInterface.
func (q *fairQueue) AddAfter(item reconcile.Request, after time.Duration) {
	q.AddWithOpts(priorityqueue.AddOpts{After: after}, item)
}

// AddRateLimited implements workqueue.TypedRateLimitingInterface.
func (q *fairQueue) AddRateLimited(item reconcile.Request) {
	q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, item)
}

// AddWithOpts implements priorityqueue.PriorityQueue. The priority is a band.
func (q *fairQueue) AddWithOpts(options priorityqueue.AddOpts, items ...reconcile.Request) {
	band := 0
	if options.Priority != nil {
		band = bandOf(*options.Priority)
	}
	q.lock.Lock()
	defer q.lock.Unlock()
	for _, item := range items {
		rank := maxRank // until its time; a later request can raise the priority, but not lower it
		if options.After == 0 {
			rank = q.enter(item, band)
		}
		options.Priority = new(band - rank)
		q.PriorityQueue.AddWithOpts(options, item) // even if it waits: a worker may just be taking it
	}
}

// Get implements workqueue.TypedInterface.
func (q *fairQueue) Get() (item reconcile.Request, shutdown bool) {
	item, _, shutdown = q.GetWithPriority()
	return item, shutdown
}

// GetWithPriority implements priorityqueue.PriorityQueue. It returns the band, with which
// the controller adds an item again that failed.
func (q *fairQueue) GetWithPriority() (item reconcile.Request, band int, shutdown bool) {
	item, priority, shutdown := q.PriorityQueue.GetWithPriority()
	q.lock.Lock()
	defer q.lock.Unlock()
	q.leave(item)
	return item, bandOf(priority), shutdown
}

// enter counts an item, once and in its highest band, and returns the rank of its
// namespace there.
func (q *fairQueue) enter(item reconcile.Request, band int) int {
	if before, waits := q.bands[item]; waits && before >= band {
		band = before
	} else {
		q.leave(item)
		q.bands[item] = band
		c := q.crowds[lane{item.Namespace, band}]
		if c == nil {
			c = new(crowd)
			q.crowds[lane{item.Namespace, band}] = c
		}
		c.waiting++
		c.rank = max(c.rank, min(bits.Len(uint(c.waiting))/2, maxRank))
	}
	return q.crowds[lane{item.Namespace, band}].rank
}

// leave forgets an item that waits.
func (q *fairQueue) leave(item reconcile.Request) {
	band, waits := q.bands[item]
	if !waits {
		return
	}
	delete(q.bands, item)
	at := lane{item.Namespace, band}
	if q.crowds[at].waiting--; q.crowds[at].waiting == 0 {
		delete(q.crowds, at)
	}
}
