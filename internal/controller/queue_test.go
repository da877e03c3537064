package controller

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestPriorities: a changed lease comes before a lease with a changed object, and that
// before a lease that is reconciled because the configuration changed.
func TestPriorities(t *testing.T) {
	t.Parallel()
	request := func(name string) reconcile.Request {
		return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
	}
	object, changed := &appsv1.Deployment{}, &appsv1.Deployment{}
	object.Name, changed.Name, changed.ResourceVersion = "owner", "owner", "2"
	handle := ownedHandler{&handler.EnqueueRequestForObject{}}
	for name, send := range map[string]func(queue){
		"create": func(q queue) { handle.Create(t.Context(), event.CreateEvent{Object: object}, q) },
		"update": func(q queue) { handle.Update(t.Context(), event.UpdateEvent{ObjectOld: object, ObjectNew: changed}, q) },
		"delete": func(q queue) { handle.Delete(t.Context(), event.DeleteEvent{Object: object}, q) },
	} {
		q := newFairQueue(name, newRateLimiter())
		t.Cleanup(q.ShutDown)
		q.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, request("old"))
		send(q)
		q.Add(request("new"))
		for _, want := range []string{"new", "owner", "old"} {
			got, _, _ := q.GetWithPriority()
			require.Equal(t, want, got.Name, name)
			q.Done(got)
		}
	}
}

// TestEnqueueAll: all leases are enqueued with the lowest priority.
func TestEnqueueAll(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, scales, newLease(t, "a", fixed), newLease(t, "b", fixed))
	queue := testQueue(t)
	e.enqueueAll(t.Context(), event.GenericEvent{}, queue)
	queue.Add(reconcile.Request{NamespacedName: key("new")})
	for i, want := range []string{"new", "a", "b"} {
		got, priority, _ := queue.GetWithPriority()
		require.Equal(t, want, got.Name)
		require.Equal(t, i > 0, priority < ownedPriority)
		queue.Done(got)
	}
	e.Client = &failingReader{Client: e.Client, fail: "same target", err: errors.New("not synced")} // fails to list leases
	e.enqueueAll(t.Context(), event.GenericEvent{}, queue)
	require.Zero(t, queue.Len())
}
