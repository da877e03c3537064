package controller

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/triton-leases/tms/api/v1alpha1"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// ownedPriority is the priority of a lease when one of its objects changed. When
// thousands of leases are reconciled, their objects change more than once, and a new
// lease must not wait for that.
const ownedPriority = handler.LowPriority / 2

// ownedHandler enqueues with ownedPriority at most.
type ownedHandler struct{ handler.EventHandler }

// Create implements handler.EventHandler.
func (h ownedHandler) Create(ctx context.Context, e event.CreateEvent, q queue) {
	h.EventHandler.Create(ctx, e, withOwnedPriority(q))
}

// Update implements handler.EventHandler.
func (h ownedHandler) Update(ctx context.Context, e event.UpdateEvent, q queue) {
	h.EventHandler.Update(ctx, e, withOwnedPriority(q))
}

// Delete implements handler.EventHandler.
func (h ownedHandler) Delete(ctx context.Context, e event.DeleteEvent, q queue) {
	h.EventHandler.Delete(ctx, e, withOwnedPriority(q))
}

func withOwnedPriority(q queue) queue {
	if byPriority, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		return ownedQueue{byPriority}
	}
	return q
}

// ownedQueue is a queue that adds with ownedPriority at most.
type ownedQueue struct {
	priorityqueue.PriorityQueue[reconcile.Request]
}

// Add implements workqueue.TypedInterface.
func (q ownedQueue) Add(item reconcile.Request) { q.AddWithOpts(priorityqueue.AddOpts{}, item) }

// AddWithOpts implements priorityqueue.PriorityQueue.
func (q ownedQueue) AddWithOpts(options priorityqueue.AddOpts, items ...reconcile.Request) {
	if options.Priority == nil || *options.Priority > ownedPriority {
		options.Priority = new(ownedPriority)
	}
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
