package controller

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// monitoringDelay is how long a namespace waits in the queue. Each reconciliation reads all
// leases of the namespace, and thousands of leases may change at once.
const monitoringDelay = 5 * time.Second

// setup adds the controller to mgr. An event on the channel reconciles all namespaces.
func (m *monitoring) setup(mgr manager.Manager) (controller.Controller, chan<- event.GenericEvent, error) {
	c, err := controller.New("monitoring", mgr, controller.Options{
		Reconciler:            m,
		RateLimiter:           workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, 2*time.Minute),
		ReconciliationTimeout: reconciliationTimeout,
		EnableWarmup:          new(true),
	})
	if err != nil {
		return nil, nil, err
	}
	if err := c.Watch(source.Kind(mgr.GetCache(), client.Object(new(v1alpha1.TritonLease)), m.leaseHandler())); err != nil {
		return nil, nil, fmt.Errorf("watch leases: %w", err)
	}
	all := make(chan event.GenericEvent)
	if err := c.Watch(source.Channel(all, handler.EventHandler(handler.Funcs{GenericFunc: m.enqueueNamespaces}))); err != nil {
		return nil, nil, fmt.Errorf("watch the configuration: %w", err)
	}
	return c, all, nil
}

// leaseHandler enqueues the namespace of a lease if the lease now needs something else.
func (m *monitoring) leaseHandler() handler.EventHandler {
	change := func(before, after client.Object, q queue) {
		if was, is := m.needsOf(before), m.needsOf(after); !reflect.DeepEqual(was, is) {
			if after == nil {
				after = before
			}
			enqueueNamespace(after.GetNamespace(), q)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { change(nil, e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { change(e.ObjectOld, e.ObjectNew, q) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { change(e.Object, nil, q) },
	}
}

// needsOf returns what a lease needs, nothing if the lease is nil or has no grant.
func (m *monitoring) needsOf(object client.Object) render.MonitoringNeeds {
	if lease, ok := object.(*v1alpha1.TritonLease); ok && m.hasGrant(lease) {
		return needsOf(lease, lease.Status.Granted)
	}
	return render.MonitoringNeeds{}
}

func enqueueNamespace(namespace string, q queue) {
	q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKey{Name: namespace}}, monitoringDelay)
}

// enqueueNamespaces enqueues all namespaces with leases.
func (m *monitoring) enqueueNamespaces(ctx context.Context, _ event.GenericEvent, q queue) {
	var leases v1alpha1.TritonLeaseList
	if err := m.List(ctx, &leases, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list leases")
		return
	}
	namespaces := map[string]bool{}
	for i := range leases.Items {
		namespaces[leases.Items[i].Namespace] = true
	}
	for namespace := range namespaces {
		enqueueNamespace(namespace, q)
	}
}

// sharedSource is the source of changes of the shared monitors of one kind.
func (m *monitoring) sharedSource(mgr manager.Manager, k *watchedKind) source.Source {
	enqueue := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: object.GetNamespace()}}}
	})
	return source.Kind(mgr.GetCache(), k.newObject(), enqueue, m.sharedPredicate())
}

// sharedPredicate accepts changes of the shared monitors, and not of those of leases.
func (m *monitoring) sharedPredicate() predicate.Predicate {
	shared := predicate.NewPredicateFuncs(m.isShared)
	shared.UpdateFunc = func(e event.UpdateEvent) bool {
		return (m.isShared(e.ObjectOld) || m.isShared(e.ObjectNew)) && contentChanged(e)
	}
	return shared
}
