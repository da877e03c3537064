package controller

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/pkg/render"
)

// informers is a cache that sends the events that a test makes.
type informers struct {
	informertest.FakeInformers
	mutex    sync.Mutex
	handlers map[schema.GroupVersionKind][]toolscache.ResourceEventHandler
	indexed  []string
}

// GetInformer implements cache.Cache.
func (c *informers) GetInformer(_ context.Context, object client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	kinds, _, err := c.Scheme.ObjectKinds(object)
	if err != nil {
		return nil, err
	}
	return informer{controllertest.NewFakeInformer(controllertest.Synced), c, kinds[0]}, nil
}

// IndexField implements client.FieldIndexer.
func (c *informers) IndexField(_ context.Context, object client.Object, field string, _ client.IndexerFunc) error {
	kinds, _, err := c.Scheme.ObjectKinds(object)
	if err != nil {
		return err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.indexed = append(c.indexed, kinds[0].Kind+" by "+field)
	return nil
}

// informer is the informer of one kind.
type informer struct {
	*controllertest.FakeInformer
	cache *informers
	kind  schema.GroupVersionKind
}

func (i informer) AddEventHandler(handler toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(handler, toolscache.HandlerOptions{})
}

func (i informer) AddEventHandlerWithOptions(handler toolscache.ResourceEventHandler, options toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	i.cache.mutex.Lock()
	defer i.cache.mutex.Unlock()
	i.cache.handlers[i.kind] = append(i.cache.handlers[i.kind], handler)
	return i.FakeInformer.AddEventHandlerWithOptions(handler, options)
}

// send calls the handlers of a kind, and reports whether there are any.
func (c *informers) send(kind string, call func(toolscache.ResourceEventHandler)) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	called := false
	for gvk, handlers := range c.handlers {
		for _, handler := range handlers {
			if gvk.Kind == kind {
				call(handler)
				called = true
			}
		}
	}
	return called
}

// added sends that an object was added, once its kind is watched.
func (c *informers) added(t *testing.T, kind string, object client.Object) {
	t.Helper()
	require.Eventually(t, func() bool {
		return c.send(kind, func(h toolscache.ResourceEventHandler) { h.OnAdd(object.DeepCopyObject(), false) })
	}, 10*time.Second, time.Millisecond)
}

// mapper returns a RESTMapper of TritonLease and the kinds of these groups.
func mapper(groups ...string) *meta.DefaultRESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	m.Add(v1alpha1.GroupVersion.WithKind("TritonLease"), meta.RESTScopeNamespace)
	for _, kind := range render.Kinds() {
		if slices.Contains(groups, kind.Group) {
			m.Add(kind.GroupVersionKind, meta.RESTScopeNamespace)
		}
	}
	return m
}

// builtIn are the groups that every API server has.
var builtIn = []string{"apps", "", "networking.k8s.io", "policy", "autoscaling"}

// TestSetup: the controller that Setup adds to a manager reconciles a lease when it is
// created, when one of its objects changes, and when the allowlist changes; and the shared
// monitors when a lease is granted, and when another client deletes one.
func TestSetup(t *testing.T) {
	t.Parallel()
	const listed = "example.com/triton:1"
	lease := newLease(t, "a", scaled)
	lease.Spec.Image = listed
	e := newEnvironment(t, scales, lease)
	cluster := &locked{WithWatch: e.cluster}
	informers := &informers{handlers: map[schema.GroupVersionKind][]toolscache.ResourceEventHandler{}}
	scheme, err := Scheme() // not that of the fake client, which extends it while the informers read it
	require.NoError(t, err)
	informers.Scheme = scheme
	notFound := transport(http.NotFound) // the API reader finds nothing, and events are lost
	mgr, err := manager.New(&rest.Config{Host: "http://cluster", Transport: notFound}, manager.Options{
		Scheme: scheme, Logger: logr.Discard(),
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller: controllerconfig.Controller{SkipNameValidation: new(true)},
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
			return mapper(append(builtIn, "monitoring.coreos.com")...), nil
		},
		NewCache:  func(*rest.Config, cache.Options) (cache.Cache, error) { return informers, nil },
		NewClient: func(*rest.Config, client.Options) (client.Client, error) { return cluster, nil },
	})
	require.NoError(t, err)
	current := newConfiguration(t, monitors("shared"))
	ctx, stop := context.WithCancel(t.Context())
	require.NoError(t, Setup(ctx, mgr, Options{
		Configuration: current, Installation: client.ObjectKey{Namespace: "system", Name: "tms"},
		Allowlist: client.ObjectKey{Namespace: "system", Name: "images"},
	}))
	t.Cleanup(func() { metrics.Registry.Unregister(newCollector(cluster, current, "system/tms")) })
	require.ElementsMatch(t, []string{
		"TritonLease by target", "Deployment by owner", "Service by owner", "NetworkPolicy by owner", "PodDisruptionBudget by owner", "HorizontalPodAutoscaler by owner",
		"PodMonitor by owner", "PrometheusRule by owner",
	}, informers.indexed)
	stopped := make(chan error)
	go func() { stopped <- mgr.Start(ctx) }()

	condition := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool {
			var lease v1alpha1.TritonLease
			return cluster.Get(t.Context(), key("a"), &lease) == nil && conditionText(&lease.Status, v1alpha1.ConditionGranted) == want
		}, time.Minute, 5*time.Millisecond)
	}
	informers.added(t, "TritonLease", lease)
	condition(`False Refused: spec.image: Forbidden: image "` + listed + `" is not allowed: it must be images.triton or in server.allowlist`)
	informers.added(t, "ConfigMap", &corev1.ConfigMap{Data: map[string]string{config.AllowlistKey: listed}})
	condition("True Granted: the lease has what it asks for")
	require.Eventually(t, func() bool {
		return cluster.Get(t.Context(), key("tms-a"), new(corev1.Service)) == nil
	}, time.Minute, 5*time.Millisecond)

	var service corev1.Service
	require.NoError(t, cluster.Get(t.Context(), key("tms-a"), &service))
	require.NoError(t, cluster.Delete(t.Context(), &service))
	require.True(t, informers.send("Service", func(h toolscache.ResourceEventHandler) { h.OnDelete(&service) }))
	require.Eventually(t, func() bool {
		return cluster.Get(t.Context(), key("tms-a"), new(corev1.Service)) == nil
	}, time.Minute, 5*time.Millisecond)

	require.NoError(t, cluster.Get(t.Context(), key("a"), lease))
	informers.added(t, "TritonLease", lease) // its status is written
	for _, kind := range []string{podMonitorKind, prometheusRuleKind} {
		shared := new(unstructured.Unstructured)
		shared.SetAPIVersion("monitoring.coreos.com/v1")
		shared.SetKind(kind)
		exists := func() bool { return cluster.Get(t.Context(), key(sharedName), shared) == nil }
		require.Eventually(t, exists, time.Minute, 5*time.Millisecond)
		require.NoError(t, cluster.Delete(t.Context(), shared))
		require.True(t, informers.send(kind, func(h toolscache.ResourceEventHandler) { h.OnDelete(shared.DeepCopy()) }))
		require.Eventually(t, exists, time.Minute, 5*time.Millisecond)
	}
	stop()
	require.NoError(t, <-stopped)
}

// locked is a client that several goroutines use: the fake client extends its scheme.
type locked struct {
	client.WithWatch
	mutex sync.Mutex
}

func (l *locked) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.WithWatch.Get(ctx, key, object, options...)
}

// TestCache: the cache holds all leases, their objects, and the allowlist, in the
// namespaces that can be watched.
func TestCache(t *testing.T) {
	t.Parallel()
	all := Cache(Namespaces{}, client.ObjectKey{})
	require.Equal(t, "app.kubernetes.io/managed-by=tms-server", all.DefaultLabelSelector.String())
	require.Empty(t, all.DefaultNamespaces, "all namespaces")
	require.Len(t, all.ByObject, 1)
	for object, by := range all.ByObject {
		require.IsType(t, new(v1alpha1.TritonLease), object)
		require.True(t, by.Label.Empty(), "leases have no such label")
	}

	some := Cache(Namespaces{Configured: []string{"a", "b"}, Watched: []string{"b"}}, client.ObjectKey{Namespace: "system", Name: "images"})
	require.Equal(t, map[string]cache.Config{"b": {}}, some.DefaultNamespaces)
	for object, by := range some.ByObject {
		if _, ok := object.(*corev1.ConfigMap); ok {
			require.Equal(t, map[string]cache.Config{"system": {}}, by.Namespaces)
			require.Equal(t, "metadata.name=images", by.Field.String())
			require.True(t, by.Label.Empty())
		}
	}
	require.Len(t, some.ByObject, 2)
	require.True(t, Client().Cache.Unstructured, "custom resources are read from the cache, too")

	autoscaler := newAutoscaler()
	autoscaler.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}}
	trimmed, err := trim(autoscaler)
	require.NoError(t, err)
	require.Same(t, autoscaler, trimmed)
	require.Empty(t, autoscaler.ManagedFields)
	require.Empty(t, autoscaler.Status.CurrentMetrics)
	require.NotEmpty(t, autoscaler.Status.Conditions)
	text, err := trim("no object")
	require.NoError(t, err)
	require.Equal(t, "no object", text)
}
