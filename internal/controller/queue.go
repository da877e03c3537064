package controller

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Each priority is a band: 0 for a lease that is new or changed, ownedPriority, and
// handler.LowPriority for a lease that is reconciled again, because of the configuration or
// because of the time. The queue lowers an item within its band: see fairQueue.
const (
	// ownedPriority is the priority of a lease when one of its objects changed. When
	// thousands of leases are reconciled, their objects change more than once, and a new
	// lease must not wait for that.
	ownedPriority = -bandWidth
	bandWidth     = -handler.LowPriority / 2
)

// bandOf returns the band of a priority in the queue.
func bandOf(priority int) int { return priority / bandWidth * bandWidth }

// ownedDelay is how long a lease waits after a change of its objects that is not urgent.
// Kubernetes reports the rollout of a Deployment in several steps, and the first state of an
// autoscaler after 15 s or, if thousands are created, later: together they take one
// reconciliation and one write of the status.
const ownedDelay = time.Minute

// ownedHandler enqueues with ownedPriority at most, and after ownedDelay unless the change is
// urgent.
type ownedHandler struct{ handler.EventHandler }

// Create implements handler.EventHandler.
func (h ownedHandler) Create(ctx context.Context, e event.CreateEvent, q queue) {
	h.EventHandler.Create(ctx, e, ownedQueueOf(q, ownedDelay)) // the lease itself created it, or is in the queue
}

// Update implements handler.EventHandler.
func (h ownedHandler) Update(ctx context.Context, e event.UpdateEvent, q queue) {
	delay := ownedDelay
	if isUrgent(e) {
		delay = 0
	}
	h.EventHandler.Update(ctx, e, ownedQueueOf(q, delay))
}

// Delete implements handler.EventHandler.
func (h ownedHandler) Delete(ctx context.Context, e event.DeleteEvent, q queue) {
	h.EventHandler.Delete(ctx, e, ownedQueueOf(q, 0))
}

// isUrgent reports whether another client changed an object or deletes it, or whether it has
// another urgentState.
func isUrgent(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations()
	applied := after[appliedAnnotation]
	if applied == "" || applied == before[appliedAnnotation] && before[packedAnnotation] != after[packedAnnotation] {
		return true
	}
	return !e.ObjectNew.GetDeletionTimestamp().IsZero() || urgentStateOf(e.ObjectOld) != urgentStateOf(e.ObjectNew)
}

// urgentState is what the status of a lease shows at once: how many replicas are wanted and
// serve, whether pods of an earlier template run, and why a Deployment makes no progress; and
// whether an autoscaler scales.
type urgentState struct {
	wanted, serving int32
	earlier, scales bool
	failure         string
}

func urgentStateOf(object client.Object) (s urgentState) {
	switch object := object.(type) {
	case *appsv1.Deployment:
		if object.Spec.Replicas != nil {
			s.wanted = *object.Spec.Replicas
		}
		s.serving, s.failure = object.Status.AvailableReplicas, failureOf(object)
		s.earlier = object.Status.UpdatedReplicas < object.Status.Replicas
	case *autoscalingv2.HorizontalPodAutoscaler:
		active := conditionOf(object, autoscalingv2.ScalingActive)
		if s.scales = active != nil && active.Status == corev1.ConditionTrue; s.scales {
			s.wanted = object.Status.DesiredReplicas
		}
	case *unstructured.Unstructured:
		if object.GetKind() == scaledObjectKind {
			s.failure, _ = kedaProblem(object)
		}
	}
	return s
}

func ownedQueueOf(q queue, delay time.Duration) queue {
	if byPriority, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		return ownedQueue{byPriority, delay}
	}
	return q
}

// ownedQueue is a queue that adds with ownedPriority at most, and after a delay.
type ownedQueue struct {
	priorityqueue.PriorityQueue[reconcile.Request]
	delay time.Duration
}

// Add implements workqueue.TypedInterface.
func (q ownedQueue) Add(item reconcile.Request) { q.AddWithOpts(priorityqueue.AddOpts{}, item) }

// AddWithOpts implements priorityqueue.PriorityQueue.
func (q ownedQueue) AddWithOpts(options priorityqueue.AddOpts, items ...reconcile.Request) {
	if options.Priority == nil || *options.Priority > ownedPriority {
		options.Priority = new(ownedPriority)
	}
	options.After = max(options.After, q.delay)
	q.PriorityQueue.AddWithOpts(options, items...)
}

// enqueueAll enqueues all leases with the lowest priority: a new lease does not wait
// for thousands of others.
func (r *reconciler) enqueueAll(ctx context.Context, _ event.GenericEvent, q queue) {
	var leases v1alpha1.TritonLeaseList
	if err := r.List(ctx, &leases, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list leases")
		return
	}
	options := priorityqueue.AddOpts{Priority: new(handler.LowPriority)}
	for i := range leases.Items {
		request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&leases.Items[i])}
		if byPriority, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
			byPriority.AddWithOpts(options, request)
		} else {
			q.Add(request)
		}
	}
}

// reconciliationTimeout ends a reconciliation. An API server that does not answer must not
// block the workers for ever. It ends requests itself after one minute, by default.
const reconciliationTimeout = 2 * time.Minute

// controllerOptions returns the options of the controller of TritonLeases.
func controllerOptions(r reconcile.Reconciler) controller.Options {
	return controller.Options{
		Reconciler: r,
		// On two cores, more workers do not raise the throughput. During a flood of leases they
		// slow down the API server, and so the lease of another tenant.
		MaxConcurrentReconciles: 2,
		RateLimiter:             newRateLimiter(),
		NewQueue: func(name string, limiter workqueue.TypedRateLimiter[reconcile.Request]) queue {
			return newFairQueue(name, limiter)
		},
		ReconciliationTimeout: reconciliationTimeout,
		EnableWarmup:          new(true), // a new leader starts with a full queue
	}
}

// newRateLimiter limits retries after errors: for each lease with a delay that doubles, and
// for all leases together, so that thousands of leases do not keep a slow API server busy.
//
// A hundred retries in a second are more than the workers complete, so that the limit does
// not slow down the recovery. The retries of 20,000 leases, the default limit, take 200 s.
func newRateLimiter() workqueue.TypedRateLimiter[reconcile.Request] {
	const (
		shortest, longest = 100 * time.Millisecond, 2 * time.Minute
		perSecond, burst  = 100, 100
		longestOfAll      = 5 * time.Minute
	)
	return workqueue.NewTypedWithMaxWaitRateLimiter(workqueue.NewTypedMaxOfRateLimiter(
		workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](shortest, longest),
		&workqueue.TypedBucketRateLimiter[reconcile.Request]{Limiter: rate.NewLimiter(perSecond, burst)},
	), longestOfAll)
}
