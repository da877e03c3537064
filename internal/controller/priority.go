package controller

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// followUpPriority is that of looking at a lease because one of its objects changed.
// When thousands of leases are judged again, each changes its objects, and their
// controllers change them once more: a new lease does not wait behind that.
const followUpPriority = handler.LowPriority / 2

// followUp has what a handler enqueues wait for what people ask.
type followUp struct{ handler.EventHandler }

// Create implements handler.EventHandler.
func (f followUp) Create(ctx context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	f.EventHandler.Create(ctx, e, lower(q))
}

// Update implements handler.EventHandler.
func (f followUp) Update(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	f.EventHandler.Update(ctx, e, lower(q))
}

// Delete implements handler.EventHandler.
func (f followUp) Delete(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	f.EventHandler.Delete(ctx, e, lower(q))
}

func lower(q workqueue.TypedRateLimitingInterface[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	if byPriority, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		return lowered{byPriority}
	}
	return q
}

// lowered is a queue in which nothing has more than followUpPriority.
type lowered struct {
	priorityqueue.PriorityQueue[reconcile.Request]
}

// Add implements workqueue.TypedInterface.
func (l lowered) Add(item reconcile.Request) { l.AddWithOpts(priorityqueue.AddOpts{}, item) }

// AddWithOpts implements priorityqueue.PriorityQueue.
func (l lowered) AddWithOpts(options priorityqueue.AddOpts, items ...reconcile.Request) {
	if options.Priority == nil || *options.Priority > followUpPriority {
		options.Priority = new(followUpPriority)
	}
	l.PriorityQueue.AddWithOpts(options, items...)
}
