package controller

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
)

// Scheme knows TritonLease and what leases consist of.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, addToScheme(scheme)
}

// Cache says what is kept in memory: all TritonLeases of the namespaces (none means
// all), and of other kinds only what belongs to one, without what nobody here reads.
// The ConfigMap of the allowlist is kept where it has a name.
func Cache(namespaces Namespaces, allowlist client.ObjectKey) cache.Options {
	options := cache.Options{
		DefaultTransform: trim,
		// The kinds are not named here: one that the API server does not know, for want
		// of the Prometheus Operator, would keep the server from starting.
		DefaultLabelSelector: labels.SelectorFromSet(labels.Set{managedByLabel: managedBy}),
		ByObject:             map[client.Object]cache.ByObject{new(v1alpha1.TritonLease): {Label: labels.Everything()}},
	}
	if allowlist.Name != "" {
		options.ByObject[new(corev1.ConfigMap)] = cache.ByObject{
			Label: labels.Everything(), Field: fields.OneTermEqualSelector("metadata.name", allowlist.Name),
			Namespaces: map[string]cache.Config{allowlist.Namespace: {}},
		}
	}
	if len(namespaces.Asked) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces.Watched {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}

// Client has what is watched read from memory.
func Client() client.Options {
	return client.Options{Cache: &client.CacheOptions{Unstructured: true}}
}

// trim removes what is large, or changes all the time, and is not read.
func trim(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	if autoscaler, ok := object.(*autoscalingv2.HorizontalPodAutoscaler); ok {
		autoscaler.Status.CurrentMetrics = nil
	}
	return object, nil
}

// Options are what the controller works with.
type Options struct {
	Configuration *config.Config
	// Installation is the namespace and the name of the server's release.
	Installation client.ObjectKey
	Namespaces   Namespaces
	// Allowlist is the ConfigMap of images that leases may have; it has no name where
	// there is none.
	Allowlist client.ObjectKey
}

// Setup adds the controller to a manager whose cache is as Cache says.
func Setup(ctx context.Context, mgr manager.Manager, options Options) error {
	clients, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	r := &reconciler{
		Client: mgr.GetClient(), live: mgr.GetAPIReader(), configuration: options.Configuration, installation: options.Installation.String(),
		recorder: mgr.GetEventRecorder(managedBy), requests: requests{clients.RESTClient()}, now: time.Now,
	}
	for _, k := range kinds() {
		r.kinds = append(r.kinds, &watchedKind{kind: k})
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, new(v1alpha1.TritonLease), targetIndex, indexTarget); err != nil {
		return fmt.Errorf("index leases: %w", err)
	}
	warm := true
	c, err := controller.New("tritonlease", mgr, controller.Options{
		Reconciler:              r,
		MaxConcurrentReconciles: 8,
		// What failed is tried again, but never forgotten for long.
		RateLimiter:  workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, 2*time.Minute),
		EnableWarmup: &warm, // so that the next leader knows all leases when it is its turn
	})
	if err != nil {
		return err
	}
	if err := c.Watch(source.Kind(mgr.GetCache(), client.Object(new(v1alpha1.TritonLease)), new(handler.EnqueueRequestForObject), predicate.Predicate(predicate.Funcs{UpdateFunc: asked}))); err != nil {
		return fmt.Errorf("watch leases: %w", err)
	}
	everything := make(chan event.GenericEvent)
	if err := c.Watch(source.Channel(everything, handler.EventHandler(handler.Funcs{GenericFunc: r.enqueueAll}))); err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	w := &watcher{reconciler: r, api: clients, namespaces: options.Namespaces, manager: mgr, controller: c, everything: everything, allowed: make(chan struct{}, 1)}
	if err := w.watchKnown(ctx); err != nil {
		return err
	}
	if options.Allowlist.Name != "" {
		if err := w.watchAllowlist(ctx); err != nil {
			return err
		}
	}
	if err := metrics.Registry.Register(newCollector(mgr.GetClient(), options.Configuration)); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return mgr.Add(w)
}

// enqueueAll has all leases looked at again, after whatever else there is to do: a
// new lease does not wait for thousands of old ones.
func (r *reconciler) enqueueAll(ctx context.Context, _ event.GenericEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	var leases v1alpha1.TritonLeaseList
	if err := r.List(ctx, &leases, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list leases")
		return
	}
	options := priorityqueue.AddOpts{Priority: new(handler.LowPriority)}
	for i := range leases.Items {
		request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&leases.Items[i])}
		if q, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
			q.AddWithOpts(options, request)
		} else {
			queue.Add(request)
		}
	}
}

// asked says whether somebody asked something of a lease, or gave it up. What this
// process itself writes in a status is no news.
func asked(e event.UpdateEvent) bool {
	before, wasLease := e.ObjectOld.(*v1alpha1.TritonLease)
	after, isLease := e.ObjectNew.(*v1alpha1.TritonLease)
	return !wasLease || !isLease || before.Generation != after.Generation ||
		before.Status.Installation != after.Status.Installation && after.Status.Installation == ""
}

// changed says whether an object changed in a way that matters.
func changed(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.DeepCopyObject().(client.Object), e.ObjectNew.DeepCopyObject().(client.Object)
	for _, object := range []client.Object{before, after} {
		object.SetResourceVersion("")
	}
	return !equality.Semantic.DeepEqual(before, after)
}
