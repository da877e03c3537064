package controller

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/progress"
)

// Options configure the controller.
type Options struct {
	Configuration *config.Config
	// Installation is the namespace and the name of the server's release.
	Installation client.ObjectKey
	Namespaces   Namespaces
	// Allowlist is the ConfigMap of images that leases may use. Its name is empty if
	// there is none.
	Allowlist client.ObjectKey
}

// Setup adds the controller to mgr, which must be created with the options that Scheme,
// Cache and Client return.
func Setup(ctx context.Context, mgr manager.Manager, options Options) error {
	clients, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	kinds, err := newWatchedKinds(mgr.GetScheme())
	if err != nil {
		return err
	}
	r := &reconciler{
		Client: mgr.GetClient(), live: mgr.GetAPIReader(),
		configuration: options.Configuration, installation: options.Installation.String(), kinds: kinds,
		recorder: mgr.GetEventRecorder(managedBy), requests: requestRates{clients.RESTClient()}, now: time.Now,
	}
	r.probes = newProbes(progress.New(mgr.GetAPIReader()).States, func(lease client.ObjectKey) {
		r.enqueue(handler.LowPriority, reconcile.Request{NamespacedName: lease})
	})
	if err := mgr.GetFieldIndexer().IndexField(ctx, new(v1alpha1.TritonLease), targetIndex, indexTarget); err != nil {
		return fmt.Errorf("index leases: %w", err)
	}
	c, err := controller.New("tritonlease", mgr, controllerOptions(r))
	if err != nil {
		return err
	}
	if err := c.Watch(source.Kind(mgr.GetCache(), client.Object(new(v1alpha1.TritonLease)), new(handler.EnqueueRequestForObject), predicate.Predicate(predicate.Funcs{UpdateFunc: specChanged}))); err != nil {
		return fmt.Errorf("watch leases: %w", err)
	}
	if err := c.Watch(source.Func(func(_ context.Context, q queue) error { r.queue.Store(&q); return nil })); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	reconcileAll := make(chan event.GenericEvent)
	if err := c.Watch(source.Channel(reconcileAll, handler.EventHandler(handler.Funcs{GenericFunc: r.enqueueAll}))); err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	m := &monitoring{r}
	monitors, reconcileNamespaces, err := m.setup(mgr)
	if err != nil {
		return fmt.Errorf("monitoring: %w", err)
	}
	w := &watcher{
		reconciler: r, api: clients, namespaces: options.Namespaces, manager: mgr, controller: c, monitoring: monitors,
		reconcileAll: []chan<- event.GenericEvent{reconcileAll, reconcileNamespaces}, allowlistChanged: make(chan struct{}, 1),
	}
	if err := w.watchServedKinds(ctx); err != nil {
		return err
	}
	if options.Allowlist.Name != "" {
		if err := w.watchAllowlist(ctx); err != nil {
			return err
		}
	}
	if err := metrics.Registry.Register(newCollector(mgr.GetClient(), options.Configuration, r.installation)); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return mgr.Add(w)
}
