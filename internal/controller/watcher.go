package controller

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
)

// watcher watches what concerns all leases: the configuration, the allowlist, the
// permissions of the process, and kinds that are installed later, such as those of the
// Prometheus Operator. After a change it reconciles all leases.
type watcher struct {
	*reconciler
	api        kubernetes.Interface
	namespaces Namespaces
	manager    manager.Manager
	controller controller.Controller // of leases
	monitoring controller.Controller // of the shared monitors
	// reconcileAll receive an event to reconcile all leases, and all namespaces.
	reconcileAll []chan<- event.GenericEvent
	// allowlistChanged has room for one, so that the informer never blocks.
	allowlistChanged chan struct{}
}

const (
	configurationPeriod = 2 * time.Second
	kindsPeriod         = 15 * time.Second
	rightsPeriod        = time.Minute
)

// Start implements manager.Runnable.
func (w *watcher) Start(ctx context.Context) error {
	configuration, kinds, rights := time.NewTicker(configurationPeriod), time.NewTicker(kindsPeriod), time.NewTicker(rightsPeriod)
	defer configuration.Stop()
	defer kinds.Stop()
	defer rights.Stop()
	for {
		changed := false
		select {
		case <-ctx.Done():
			return nil
		case <-configuration.C:
			changed = w.reload(ctx)
		case <-w.allowlistChanged:
			changed = true
		case <-kinds.C:
			changed = w.watchNewKinds(ctx)
		case <-rights.C:
			if err := w.checkRights(ctx); err != nil {
				return err
			}
		}
		if !changed {
			continue
		}
		for _, all := range w.reconcileAll {
			select {
			case <-ctx.Done():
			case all <- event.GenericEvent{Object: new(v1alpha1.TritonLease)}:
			}
		}
	}
}

// NeedLeaderElection is false: every replica has the current configuration when it
// becomes the leader.
func (w *watcher) NeedLeaderElection() bool { return false }

// reload reads the configuration, and reports whether it changed.
func (w *watcher) reload(ctx context.Context) bool {
	changed, err := w.configuration.Reload()
	switch {
	case err != nil:
		log.FromContext(ctx).Error(err, "reload the configuration; the previous one stays in force")
	case changed:
		log.FromContext(ctx).Info("the configuration changed, reconcile all leases")
	}
	return changed
}

// watchAllowlist adds the images in the ConfigMap of the allowlist to the configuration.
func (w *watcher) watchAllowlist(ctx context.Context) error {
	informer, err := w.manager.GetCache().GetInformer(ctx, new(corev1.ConfigMap), cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch the allowlist: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    w.readAllowlist,
		UpdateFunc: func(_, now any) { w.readAllowlist(now) },
		DeleteFunc: func(any) { w.readAllowlist(new(corev1.ConfigMap)) },
	})
	return err
}

func (w *watcher) readAllowlist(object any) {
	list, ok := object.(*corev1.ConfigMap)
	if ok && w.configuration.Allow(config.AllowedBy(list)) {
		select {
		case w.allowlistChanged <- struct{}{}:
		default:
		}
	}
}

// watchNewKinds watches kinds that the API server began to serve, and reports whether
// there are any.
func (w *watcher) watchNewKinds(ctx context.Context) bool {
	before := w.watchedCount()
	if err := w.watchServedKinds(ctx); err != nil {
		log.FromContext(ctx).Error(err, "watch new kinds")
	}
	return w.watchedCount() > before
}

func (w *watcher) watchedCount() int {
	count := 0
	for _, k := range w.kinds {
		if k.watched.Load() {
			count++
		}
	}
	return count
}

// watchServedKinds watches all kinds that the API server serves.
func (w *watcher) watchServedKinds(ctx context.Context) error {
	for _, k := range w.kinds {
		if k.watched.Load() {
			continue
		}
		_, err := w.manager.GetRESTMapper().RESTMapping(k.GroupKind(), k.Version)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("discover %s: %w", k.Kind, err)
		}
		if err := w.manager.GetFieldIndexer().IndexField(ctx, k.newObject(), ownerIndex, indexOwner); err != nil {
			return fmt.Errorf("index %s: %w", k.Kind, err)
		}
		owner := handler.EnqueueRequestForOwner(w.manager.GetScheme(), w.manager.GetRESTMapper(), new(v1alpha1.TritonLease), handler.OnlyControllerOwner())
		filter := predicate.Funcs{UpdateFunc: contentChanged}
		if err := w.controller.Watch(source.Kind(w.manager.GetCache(), k.newObject(), handler.EventHandler(ownedHandler{owner}), predicate.Predicate(filter))); err != nil {
			return fmt.Errorf("watch %s: %w", k.Kind, err)
		}
		if k.Kind == autoscalerKind {
			fromKEDA := ownedHandler{handler.EnqueueRequestsFromMapFunc(leaseOfKEDA)}
			if err := w.controller.Watch(source.Kind(w.manager.GetCache(), k.newObject(), handler.EventHandler(fromKEDA), predicate.Predicate(filter))); err != nil {
				return fmt.Errorf("watch %s of KEDA: %w", k.Kind, err)
			}
		}
		if isMonitorKind(k) {
			m := &monitoring{w.reconciler}
			if err := w.monitoring.Watch(m.sharedSource(w.manager, k)); err != nil {
				return fmt.Errorf("watch shared %s: %w", k.Kind, err)
			}
		}
		k.watched.Store(true)
	}
	return nil
}
