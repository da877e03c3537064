package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
)

// loop is the whole control loop, with the queue and the workers of controller-runtime, in
// simulated time.
type loop struct {
	*store
	*reconciler
	*mortality
	q queue

	mutex sync.Mutex
	// order are the calls of Reconcile.
	order []client.ObjectKey
	// before is called before each call of Reconcile, if it is set.
	before func(ctx context.Context) error
}

// newLoop returns a loop with some leases, spread over ten namespaces.
func newLoop(t *testing.T, configuration *config.Config, leases int) *loop {
	t.Helper()
	scheme, err := Scheme()
	require.NoError(t, err)
	kinds, err := newWatchedKinds(scheme)
	require.NoError(t, err)
	for _, k := range kinds {
		k.watched.Store(k.Kind == deploymentKind)
	}
	l := &loop{store: newStore(scheme), mortality: new(mortality)}
	l.written = func(key string) { l.sync(key) }
	l.reconciler = &reconciler{
		Client: process{store: l.store, mortality: l.mortality}, live: process{store: l.store, live: true, mortality: l.mortality},
		configuration: configuration, installation: "system/tms", kinds: kinds, recorder: noEvents{}, now: func() time.Time { return epoch },
	}
	for i := range leases {
		l.newLease(t, fmt.Sprint("ns", i%10), fmt.Sprint("lease", i))
	}
	return l
}

// created enqueues a lease that was created.
func created(ctx context.Context, object client.Object, q queue) {
	new(handler.EnqueueRequestForObject).Create(ctx, event.CreateEvent{Object: object}, q)
}

// start starts the loop with some workers, and with the events of all leases.
func (l *loop) start(t *testing.T, workers int) {
	t.Helper()
	options := controllerOptions(reconcile.Func(l.reconcile))
	options.SkipNameValidation, options.MaxConcurrentReconciles = new(true), workers
	options.LogConstructor = func(*reconcile.Request) logr.Logger { return logr.Discard() }
	c, err := controller.NewUnmanaged("test", options)
	require.NoError(t, err)
	require.NoError(t, c.Watch(source.Func(func(ctx context.Context, q queue) error {
		l.q = q
		l.queue.Store(&q)
		for _, object := range l.objects {
			created(ctx, object, q)
		}
		return nil
	})))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { _ = c.Start(ctx) })
	t.Cleanup(func() {
		cancel()
		group.Wait()
	})
}

// newLease creates a lease.
func (l *loop) newLease(t *testing.T, namespace, name string) *v1alpha1.TritonLease {
	t.Helper()
	lease := newLease(t, name, fixed)
	lease.Namespace = namespace
	l.lock.Lock()
	defer l.lock.Unlock()
	l.put(lease)
	return lease
}

func (l *loop) reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	l.mutex.Lock()
	l.order = append(l.order, request.NamespacedName)
	before := l.before
	l.mutex.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return reconcile.Result{}, err
		}
	}
	return l.Reconcile(ctx, request)
}

// calls sets what is called before each Reconcile, and returns the calls until now.
func (l *loop) calls(before func(context.Context) error) []client.ObjectKey {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	order := l.order
	l.order, l.before = nil, before
	return order
}

// most returns the highest number of calls for one lease.
func most(order []client.ObjectKey) int {
	counts := map[client.ObjectKey]int{}
	highest := 0
	for _, key := range order {
		counts[key]++
		highest = max(highest, counts[key])
	}
	return highest
}

// granted returns how many leases are granted and have their Deployment.
func (l *loop) granted() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	count := 0
	for _, object := range l.objects {
		if lease, ok := object.(*v1alpha1.TritonLease); ok && lease.Status.Granted != nil && l.objects[fmt.Sprintf("Deployment %s/tms-%s", lease.Namespace, lease.Name)] != nil {
			count++
		}
	}
	return count
}

// TestNewLeaseOvertakes: while all leases are reconciled because of a new configuration, a
// new lease is next, then one that a user changed, then one with a changed object.
func TestNewLeaseOvertakes(t *testing.T) {
	t.Parallel()
	const leases = 500
	before, after := configuration(t, scales), configuration(t, `server: {leases: {limits: {replicas: 7}}}`)
	for _, workers := range []int{1, 8} {
		synctest.Test(t, func(t *testing.T) {
			l := newLoop(t, before, leases)
			l.start(t, workers)
			synctest.Wait()
			require.Equal(t, leases, l.granted())
			hold := make(chan struct{})
			l.calls(func(context.Context) error { <-hold; return nil })
			l.configuration = after
			l.enqueueAll(t.Context(), event.GenericEvent{}, l.q)
			synctest.Wait()

			user := new(handler.EnqueueRequestForObject)
			owned, changed := newLease(t, "lease490", fixed), newLease(t, "lease480", fixed)
			owned.Namespace, changed.Namespace, changed.ResourceVersion = "ns0", "ns0", "new"
			ownedHandler{user}.Delete(t.Context(), event.DeleteEvent{Object: owned}, l.q)
			created(t.Context(), l.newLease(t, "ns0", "new"), l.q)
			user.Update(t.Context(), event.UpdateEvent{ObjectOld: owned, ObjectNew: changed}, l.q)
			close(hold)
			synctest.Wait()

			order := l.calls(nil)
			require.Len(t, order, leases+1)
			require.Equal(t, 1, most(order))
			for i, name := range []string{"new", "lease480", "lease490"} {
				position := slices.Index(order, client.ObjectKey{Namespace: "ns0", Name: name})
				if workers == 1 {
					require.Equal(t, 1+i, position, "after the one in flight")
				}
				require.Less(t, position, 2*workers+i, name) // as many may be taken at once
			}
			require.Equal(t, leases+1, l.granted())
			for key, object := range l.objects {
				if lease, ok := object.(*v1alpha1.TritonLease); ok {
					require.EqualValues(t, 7, lease.Status.Limits.Replicas, key)
				}
			}
		})
	}
}

// TestSlowAPIServer: while the API server refuses requests, all leases together are retried
// at a bounded rate, and each one less and less often. Every lease is granted at the end.
func TestSlowAPIServer(t *testing.T) {
	t.Parallel()
	const leases = 200
	c := configuration(t, scales)
	synctest.Test(t, func(t *testing.T) {
		errs := []error{
			apierrors.NewTooManyRequests("the server is busy", 1), apierrors.NewInternalError(context.DeadlineExceeded),
			apierrors.NewTimeoutError("the request timed out", 1), apierrors.NewServiceUnavailable("no leader"), context.DeadlineExceeded,
		}
		l := newLoop(t, c, leases)
		writes := 0
		l.fail = func() error { writes++; return errs[writes%len(errs)] }
		l.start(t, 8)
		time.Sleep(time.Second)
		order := l.calls(nil)
		require.LessOrEqual(t, len(order), leases+100+100, "the first attempts, the burst of retries, and those of a second")
		time.Sleep(10 * time.Minute)
		require.LessOrEqual(t, most(append(order, l.calls(nil)...)), 16)
		require.Zero(t, l.granted())

		l.lock.Lock()
		l.fail = nil
		l.lock.Unlock()
		time.Sleep(2 * time.Minute)
		require.Equal(t, leases, l.granted())
		l.calls(nil)
		time.Sleep(time.Minute)
		require.Empty(t, l.calls(nil), "nothing is retried any more")
	})
}

// TestHungRequests: requests that get no answer do not block the workers for ever.
func TestHungRequests(t *testing.T) {
	t.Parallel()
	const leases = 20
	c := configuration(t, scales)
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, c, leases)
		l.calls(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		l.start(t, 8)
		synctest.Wait()
		require.Len(t, l.calls(nil), 8, "each worker waits")
		time.Sleep(5 * time.Minute)
		require.Equal(t, leases, l.granted())
	})
}

// TestRetryDelay: a retry waits for five minutes at most, however many leases fail.
func TestRetryDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := newRateLimiter()
		var last time.Duration
		for i := range 20000 {
			last = limiter.When(requestOf("ns", i))
		}
		require.Equal(t, 199*time.Second, last.Round(time.Second), "the default limit of leases")
		for i := range 20000 {
			last = limiter.When(requestOf("other", i))
		}
		require.Equal(t, 5*time.Minute, last)
	})
}
