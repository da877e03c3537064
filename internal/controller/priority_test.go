package controller

import (
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
	queue := priorityqueue.New[reconcile.Request]("test")
	t.Cleanup(queue.ShutDown)
	request := func(name string) reconcile.Request {
		return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
	}
	queue.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, request("old"))
	object := &appsv1.Deployment{}
	object.Name = "owner"
	ownedHandler{&handler.EnqueueRequestForObject{}}.Create(t.Context(), event.CreateEvent{Object: object}, queue)
	queue.Add(request("new"))
	for _, want := range []string{"new", "owner", "old"} {
		got, _, _ := queue.GetWithPriority()
		require.Equal(t, want, got.Name)
		queue.Done(got)
	}
}
