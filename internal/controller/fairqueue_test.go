package controller

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var allBands = []int{0, ownedPriority, handler.LowPriority}

func requestOf(namespace string, n int) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: fmt.Sprint(n)}}
}

func testQueue(t *testing.T) *fairQueue {
	t.Helper()
	q := newFairQueue("", workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Millisecond, time.Second))
	t.Cleanup(q.ShutDown)
	return q
}

func (q *fairQueue) addAll(band int, namespace string, count int) {
	for i := range count {
		q.AddWithOpts(priorityqueue.AddOpts{Priority: &band}, requestOf(namespace, i))
	}
}

// drain takes all items that are ready, in order.
func (q *fairQueue) drain() []reconcile.Request {
	var order []reconcile.Request
	for q.Len() > 0 {
		item, _ := q.Get()
		q.Done(item)
		order = append(order, item)
	}
	return order
}

// TestFlood: a flood of one namespace does not delay the others, in each band.
func TestFlood(t *testing.T) {
	t.Parallel()
	for _, band := range allBands {
		q := testQueue(t)
		q.addAll(band, "flood", 1000)
		q.addAll(band, "burst", 100)
		q.addAll(band, "one", 1)
		order := q.drain()
		require.Len(t, order, 1101)
		require.Equal(t, 2, slices.Index(order, requestOf("one", 0)), "after the first one of each other namespace")
		require.Less(t, slices.Index(order, requestOf("burst", 99)), 2*128, "before the rest of the flood")
		isOther := func(r reconcile.Request) bool { return r.Namespace != "flood" }
		require.True(t, slices.IsSortedFunc(slices.DeleteFunc(order, isOther), byNumber), "first come, first served")
		require.Zero(t, len(q.bands))
		require.Zero(t, len(q.crowds))
	}
}

func byNumber(a, b reconcile.Request) int {
	return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
}

// TestLateLease: a lease does not overtake the earlier ones of its namespace, also if most
// of them are done.
func TestLateLease(t *testing.T) {
	t.Parallel()
	q := testQueue(t)
	q.addAll(0, "flood", 1000)
	for range 900 {
		item, _ := q.Get()
		q.Done(item)
	}
	q.Add(requestOf("flood", 1000))
	require.Equal(t, requestOf("flood", 1000), q.drain()[100])
	q.addAll(0, "other", 2)
	q.Add(requestOf("flood", 1001))
	require.Equal(t, requestOf("flood", 1001), q.drain()[1], "the flood is over")
}

// TestBands: any item of a band comes before all items of the next one, however many wait.
// The queue has few priorities: workqueue_depth keeps at most 25.
func TestBands(t *testing.T) {
	t.Parallel()
	q := testQueue(t)
	const count = 20000
	for _, band := range slices.Backward(allBands) {
		q.addAll(band, fmt.Sprint(band), count)
	}
	priorities := map[int]bool{}
	for i := range len(allBands) * count {
		item, priority, _ := q.PriorityQueue.GetWithPriority()
		q.PriorityQueue.Done(item)
		priorities[priority] = true
		require.Equal(t, allBands[i/count], bandOf(priority))
		require.Equal(t, fmt.Sprint(allBands[i/count]), item.Namespace)
	}
	require.Len(t, priorities, len(allBands)*(maxRank+1))
}

// TestRaisedPriority: a change raises the priority of a lease that waits, for a worker or for
// its time. A lease that waits for its time has no rank until it is enqueued.
func TestRaisedPriority(t *testing.T) {
	t.Parallel()
	q := testQueue(t)
	q.AddWithOpts(priorityqueue.AddOpts{After: time.Hour, Priority: new(handler.LowPriority)}, requestOf("ns", 2000))
	q.AddAfter(requestOf("ns", 3000), time.Hour)
	require.Zero(t, len(q.bands))
	q.addAll(handler.LowPriority, "ns", 1000)
	q.addAll(handler.LowPriority, "other", 2)
	q.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, requestOf("ns", 2000))
	q.Add(requestOf("ns", 999))
	q.addAll(handler.LowPriority, "ns", 1000) // again
	require.Equal(t, map[lane]*crowd{
		{"ns", 0}: {waiting: 1}, {"ns", handler.LowPriority}: {waiting: 1000, rank: 5}, {"other", handler.LowPriority}: {waiting: 2, rank: 1},
	}, q.crowds, "each lease counts once")
	item, band, _ := q.GetWithPriority()
	require.Equal(t, requestOf("ns", 999), item)
	require.Zero(t, band)
	order := q.drain()
	require.Equal(t, 8, slices.Index(order, requestOf("other", 1)), "after the first seven of ns")
	require.Equal(t, requestOf("ns", 2000), order[len(order)-1])
}

// TestRetryKeepsBand: a lease that failed is retried with the priority that it had, and
// counts as one that waits.
func TestRetryKeepsBand(t *testing.T) {
	t.Parallel()
	q := testQueue(t)
	for _, want := range allBands {
		q.addAll(want, "ns", 3)
		for range 6 {
			item, band, _ := q.GetWithPriority()
			require.Equal(t, want, band)
			q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true, Priority: &band}, item)
			require.Equal(t, map[lane]*crowd{{"ns", want}: {waiting: 3, rank: 1}}, q.crowds)
			q.Done(item)
		}
		for range 3 {
			item, _ := q.Get()
			q.Forget(item)
			q.Done(item)
		}
	}
	q.AddRateLimited(requestOf("ns", 1))
	q.Len() // adds what is buffered
	require.Equal(t, 1, q.NumRequeues(requestOf("ns", 1)))
}

// TestConcurrentQueue: no lease is lost, and the counts are right, if many goroutines add
// and take the same leases.
func TestConcurrentQueue(t *testing.T) {
	t.Parallel()
	q := newFairQueue("", newRateLimiter())
	var producers, consumers sync.WaitGroup
	var lock sync.Mutex
	wanted, got := map[reconcile.Request]int{}, map[reconcile.Request]int{} // the last version of each
	for producer := range 4 {
		producers.Go(func() {
			for i := range 2000 {
				item := requestOf(fmt.Sprint(i%3), i%50)
				lock.Lock()
				wanted[item]++
				lock.Unlock()
				q.AddWithOpts(priorityqueue.AddOpts{Priority: &allBands[(i+producer)%3]}, item)
			}
		})
		consumers.Go(func() {
			for {
				item, shutdown := q.Get()
				if shutdown {
					return
				}
				lock.Lock()
				got[item] = wanted[item]
				lock.Unlock()
				q.Done(item)
			}
		})
	}
	producers.Wait()
	require.Eventually(t, func() bool {
		lock.Lock()
		defer lock.Unlock()
		return fmt.Sprint(wanted) == fmt.Sprint(got)
	}, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return q.Len() == 0 }, 10*time.Second, time.Millisecond)
	q.ShutDown()
	consumers.Wait()
	require.Zero(t, len(q.bands))
	require.Zero(t, len(q.crowds))
}
