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

// watcher looks for what no watch tells of: a changed file of configuration, and
// kinds that somebody installs later, such as those of the Prometheus Operator. It
// has all leases looked at again after either.
type watcher struct {
	*reconciler
	api        kubernetes.Interface
	namespaces Namespaces
	manager    manager.Manager
	controller controller.Controller
	everything chan<- event.GenericEvent
	allowed    chan struct{} // has something when the allowlist changed
}

const (
	configurationPeriod = 2 * time.Second
	kindsPeriod         = 15 * time.Second
	rightsPeriod        = time.Minute
)

// Start implements manager.Runnable.
func (w *watcher) Start(ctx context.Context) error {
	file, api := time.NewTicker(configurationPeriod), time.NewTicker(kindsPeriod)
	defer file.Stop()
	defer api.Stop()
	rights := time.NewTicker(rightsPeriod)
	defer rights.Stop()
	for {
		again := false
		select {
		case <-ctx.Done():
			return nil
		case <-file.C:
			again = w.reload(ctx)
		case <-w.allowed:
			again = true
		case <-rights.C:
			if err := w.checkRights(ctx); err != nil {
				return err
			}
		case <-api.C:
			before := w.unknownKinds()
			if err := w.watchKnown(ctx); err != nil {
				log.FromContext(ctx).Error(err, "look for kinds")
			}
			again = w.unknownKinds() < before
		}
		if again {
			select {
			case <-ctx.Done():
			case w.everything <- event.GenericEvent{Object: new(v1alpha1.TritonLease)}:
			}
		}
	}
}

// NeedLeaderElection is false: whoever is the next leader has the configuration.
func (w *watcher) NeedLeaderElection() bool { return false }

func (w *watcher) reload(ctx context.Context) bool {
	changed, err := w.configuration.Reload()
	switch {
	case err != nil:
		log.FromContext(ctx).Error(err, "the configuration that was in force stays in force")
	case changed:
		log.FromContext(ctx).Info("the configuration changed: all leases are judged again")
	}
	return changed
}

// watchAllowlist has the configuration allow what the ConfigMap of the allowlist says.
func (w *watcher) watchAllowlist(ctx context.Context) error {
	informer, err := w.manager.GetCache().GetInformer(ctx, new(corev1.ConfigMap), cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch the allowlist: %w", err)
	}
	read := func(object any) {
		list, ok := object.(*corev1.ConfigMap)
		if ok && w.configuration.Allow(config.AllowedBy(list)) {
			select {
			case w.allowed <- struct{}{}:
			default:
			}
		}
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: read, UpdateFunc: func(_, now any) { read(now) }, DeleteFunc: func(any) { read(new(corev1.ConfigMap)) },
	})
	return err
}

func (w *watcher) unknownKinds() int {
	unknown := 0
	for _, k := range w.kinds {
		if !k.watched.Load() {
			unknown++
		}
	}
	return unknown
}

// watchKnown watches all kinds that the API server knows and that are not watched yet.
func (w *watcher) watchKnown(ctx context.Context) error {
	for _, k := range w.kinds {
		if k.watched.Load() {
			continue
		}
		_, err := w.manager.GetRESTMapper().RESTMapping(k.GroupKind(), k.Version)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look for %s: %w", k.Kind, err)
		}
		if err := w.manager.GetFieldIndexer().IndexField(ctx, k.empty(), ownerIndex, indexOwner); err != nil {
			return fmt.Errorf("index %s: %w", k.Kind, err)
		}
		owner := handler.EnqueueRequestForOwner(w.manager.GetScheme(), w.manager.GetRESTMapper(), new(v1alpha1.TritonLease), handler.OnlyControllerOwner())
		matters := predicate.Funcs{UpdateFunc: changed}
		if err := w.controller.Watch(source.Kind(w.manager.GetCache(), k.empty(), handler.EventHandler(followUp{owner}), predicate.Predicate(matters))); err != nil {
			return fmt.Errorf("watch %s: %w", k.Kind, err)
		}
		k.watched.Store(true)
	}
	return nil
}
