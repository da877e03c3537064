package controller

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/triton-leases/tms/internal/config"
)

// fakeManager has what the watcher uses of a manager.
type fakeManager struct {
	manager.Manager
	informers *informers
	mutex     sync.Mutex // the watcher reads the mapper while a test replaces it
	mapper    meta.RESTMapper
}

func (m *fakeManager) serve(mapper meta.RESTMapper) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.mapper = mapper
}

// GetRESTMapper implements manager.Manager.
func (m *fakeManager) GetRESTMapper() meta.RESTMapper {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.mapper
}

func (m *fakeManager) GetCache() cache.Cache                { return m.informers }
func (m *fakeManager) GetFieldIndexer() client.FieldIndexer { return m.informers }
func (m *fakeManager) GetScheme() *runtime.Scheme           { return m.informers.Scheme }

// fakeController counts its sources.
type fakeController struct {
	controller.Controller
	sources int
	err     error
}

func (c *fakeController) Watch(source.TypedSource[reconcile.Request]) error {
	c.sources++
	return c.err
}

// brokenMapper fails.
type brokenMapper struct{ meta.RESTMapper }

func (brokenMapper) RESTMapping(schema.GroupKind, ...string) (*meta.RESTMapping, error) {
	return nil, errors.New("no connection")
}

// newWatcher returns a watcher of an API server that serves the built-in kinds.
func newWatcher(t *testing.T, configuration *config.Config) (w *watcher, all chan event.GenericEvent) {
	t.Helper()
	scheme, err := Scheme()
	require.NoError(t, err)
	kinds, err := newWatchedKinds(scheme)
	require.NoError(t, err)
	informers := &informers{handlers: map[schema.GroupVersionKind][]toolscache.ResourceEventHandler{}}
	informers.Scheme = scheme
	all = make(chan event.GenericEvent)
	return &watcher{
		reconciler: &reconciler{kinds: kinds, configuration: configuration},
		manager:    &fakeManager{informers: informers, mapper: mapper(builtIn...)}, controller: new(fakeController), monitoring: new(fakeController),
		reconcileAll: []chan<- event.GenericEvent{all}, allowlistChanged: make(chan struct{}, 1),
	}, all
}

// TestWatcher: a change of the configuration, of the allowlist, or of the kinds that the
// API server serves reconciles all leases. Nothing else does.
func TestWatcher(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "values.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(scales)
	read, err := config.Read(file, "tms", "system")
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		w, all := newWatcher(t, read)
		require.NoError(t, w.watchServedKinds(t.Context()))
		require.Equal(t, 6, w.controller.(*fakeController).sources) // autoscalers have two: those of leases, and those of KEDA
		count := 0
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			for range all {
				count++
			}
		}()
		stopped := make(chan error)
		go func() { stopped <- w.Start(ctx) }()
		reconciled := func(within time.Duration, want int) {
			t.Helper()
			time.Sleep(within)
			synctest.Wait()
			require.Equal(t, want, count)
			count = 0
		}
		reconciled(time.Minute, 0)
		require.Equal(t, 6, w.controller.(*fakeController).sources)

		write(limited(3))
		reconciled(3*configurationPeriod, 1)
		write("server: {")
		reconciled(3*configurationPeriod, 0)

		w.readAllowlist(&corev1.ConfigMap{Data: map[string]string{config.AllowlistKey: "example.com/triton:1"}})
		reconciled(time.Second, 1)
		w.readAllowlist(&corev1.ConfigMap{Data: map[string]string{config.AllowlistKey: "example.com/triton:1"}})
		w.readAllowlist("no ConfigMap")
		reconciled(time.Second, 0)

		w.manager.(*fakeManager).serve(brokenMapper{})
		reconciled(2*kindsPeriod, 0)
		w.manager.(*fakeManager).serve(mapper(append(builtIn, "monitoring.coreos.com")...))
		reconciled(2*kindsPeriod, 1)
		require.Equal(t, 8, w.controller.(*fakeController).sources)
		require.Equal(t, 2, w.monitoring.(*fakeController).sources)
		require.Contains(t, w.manager.(*fakeManager).informers.indexed, "PodMonitor by owner")
		reconciled(2*kindsPeriod, 0)

		// A stopped watcher does not block on leases to reconcile.
		stop()
		require.NoError(t, <-stopped)
		close(all)
	})
}

// TestWatcherStops: the watcher stops the process if its permissions changed, and stops
// while nothing receives.
func TestWatcherStops(t *testing.T) {
	t.Parallel()
	read := newConfiguration(t, scales)
	synctest.Test(t, func(t *testing.T) {
		w, _ := newWatcher(t, read)
		require.False(t, w.NeedLeaderElection())
		require.NoError(t, w.watchServedKinds(t.Context()))
		w.namespaces = Namespaces{Configured: []string{"a"}}
		w.api = reviewed(new([]string), func(authorizationv1.ResourceAttributes) bool { return true }, nil)
		require.ErrorContains(t, w.Start(t.Context()), "permissions changed")

		w, _ = newWatcher(t, read)
		w.allowlistChanged <- struct{}{}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		require.NoError(t, w.Start(ctx))
	})
}

// TestWatchAllowlist: the images of the ConfigMap are allowed while it exists.
func TestWatchAllowlist(t *testing.T) {
	t.Parallel()
	w, _ := newWatcher(t, newConfiguration(t, scales))
	require.NoError(t, w.watchAllowlist(t.Context()))
	informers := w.manager.(*fakeManager).informers
	allowed := func() []string { return w.configuration.LeaseRenderer().AllowedImages()[1:] }
	list := func(images string) *corev1.ConfigMap {
		return &corev1.ConfigMap{Data: map[string]string{config.AllowlistKey: images}}
	}
	informers.added(t, "ConfigMap", list("a"))
	require.Equal(t, []string{"a"}, allowed())
	informers.send("ConfigMap", func(h toolscache.ResourceEventHandler) { h.OnUpdate(list("a"), list("a b")) })
	require.Equal(t, []string{"a", "b"}, allowed())
	informers.send("ConfigMap", func(h toolscache.ResourceEventHandler) { h.OnDelete(list("a b")) })
	require.Empty(t, allowed())
	require.Len(t, w.allowlistChanged, 1)
}

// TestWatchFailures: a kind that cannot be discovered or watched is tried again.
func TestWatchFailures(t *testing.T) {
	t.Parallel()
	w, _ := newWatcher(t, nil)
	w.manager.(*fakeManager).serve(brokenMapper{})
	require.EqualError(t, w.watchServedKinds(t.Context()), "discover Deployment: no connection")
	w.manager.(*fakeManager).serve(mapper(builtIn...))
	w.controller.(*fakeController).err = errors.New("stopped")
	require.EqualError(t, w.watchServedKinds(t.Context()), "watch Deployment: stopped")
	require.Zero(t, w.watchedCount())
	w.controller.(*fakeController).err = nil
	require.True(t, w.watchNewKinds(t.Context()))
	require.Equal(t, 5, w.watchedCount())
	require.False(t, w.watchNewKinds(t.Context()))
}
