package controller

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	object.Name, changed.Name, changed.ResourceVersion, changed.Status.AvailableReplicas = "owner", "owner", "2", 1
	handle := ownedHandler{&handler.EnqueueRequestForObject{}}
	for name, send := range map[string]func(queue){
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

// TestOwnedDelay: changes that are not urgent wait, so that several make one reconciliation.
func TestOwnedDelay(t *testing.T) {
	t.Parallel()
	deployment := func(change func(*appsv1.Deployment)) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: map[string]string{appliedAnnotation: "1", packedAnnotation: "{}"}}}
		change(d)
		return d
	}
	before := deployment(func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 })
	handle := ownedHandler{&handler.EnqueueRequestForObject{}}
	for name, test := range map[string]struct {
		send   func(queue)
		urgent bool
	}{
		"created": {send: func(q queue) { handle.Create(t.Context(), event.CreateEvent{Object: before}, q) }},
		"deleted": {send: func(q queue) { handle.Delete(t.Context(), event.DeleteEvent{Object: before}, q) }, urgent: true},
	} {
		checkDelay(t, name, test.send, test.urgent)
	}
	for name, test := range map[string]struct {
		change func(*appsv1.Deployment)
		urgent bool
	}{
		"another number of replicas serves": {change: func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 2 }, urgent: true},
		"another number of replicas exists": {change: func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas, d.Status.Replicas, d.Status.UpdatedReplicas = 1, 2, 2
		}},
		"its own change": {change: func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas = 1
			d.Annotations[appliedAnnotation], d.Annotations[packedAnnotation] = "2", "{2}"
		}},
		"another client changes it": {change: func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1; d.Annotations[packedAnnotation] = "{2}" }, urgent: true},
		"another client replaces it": {change: func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas = 1
			delete(d.Annotations, appliedAnnotation)
		}, urgent: true},
		"ceases to serve":          {change: func(*appsv1.Deployment) {}, urgent: true},
		"another number is wanted": {change: func(d *appsv1.Deployment) { d.Status.AvailableReplicas, d.Spec.Replicas = 1, new(int32(2)) }, urgent: true},
		"has pods of an earlier template": {change: func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas, d.Status.Replicas, d.Status.UpdatedReplicas = 1, 2, 1
		}, urgent: true},
		"makes no progress": {change: func(d *appsv1.Deployment) {
			d.Status.AvailableReplicas = 1
			d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Message: "exceeded"}}
		}, urgent: true},
		"is being deleted": {change: func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1; d.DeletionTimestamp = new(metav1.Now()) }, urgent: true},
	} {
		after := deployment(test.change)
		checkDelay(t, name, func(q queue) { handle.Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, q) }, test.urgent)
	}

	autoscaler := func(active corev1.ConditionStatus, desired int32) *autoscalingv2.HorizontalPodAutoscaler {
		status := autoscalingv2.HorizontalPodAutoscalerStatus{DesiredReplicas: desired}
		if active != "" {
			status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScalingActive, Status: active}}
		}
		return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: map[string]string{appliedAnnotation: "1"}}, Status: status}
	}
	for name, test := range map[string]struct {
		before, after *autoscalingv2.HorizontalPodAutoscaler
		urgent        bool
	}{
		"first status, without metrics": {before: autoscaler("", 0), after: autoscaler("False", 0)},
		"begins to scale":               {before: autoscaler("False", 0), after: autoscaler("True", 1), urgent: true},
		"ceases to scale":               {before: autoscaler("True", 1), after: autoscaler("False", 0), urgent: true},
		"wants other replicas":          {before: autoscaler("True", 1), after: autoscaler("True", 2), urgent: true},
		"scales as before":              {before: autoscaler("True", 2), after: autoscaler("True", 2)},
	} {
		checkDelay(t, name, func(q queue) {
			handle.Update(t.Context(), event.UpdateEvent{ObjectOld: test.before, ObjectNew: test.after}, q)
		}, test.urgent)
	}
}

// checkDelay checks whether an event is enqueued at once, or after ownedDelay.
func checkDelay(t *testing.T, name string, send func(queue), urgent bool) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := newFairQueue("", newRateLimiter())
			defer q.ShutDown()
			send(q)
			synctest.Wait()
			require.Equal(t, urgent, q.Len() == 1)
			time.Sleep(ownedDelay)
			synctest.Wait()
			require.Equal(t, 1, q.Len())
		})
	})
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
