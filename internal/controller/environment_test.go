package controller

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
)

// scales is a configuration in which leases may scale by queue time, and have their own monitors.
const scales = `server: {autoscaling: {enable: true, prometheus: {monitors: perLease}, metrics: {queueTime: {enabled: true, allowed: true}}}}`

// Specs of leases.
const (
	fixed  = `{models: [{name: resnet50, uri: s3://models/vision}]}`
	scaled = `{models: [{name: resnet50, uri: s3://models/vision}], autoscaling: {enable: true, replicas: {maximum: 4}}}`
	target = `{target: {name: triton, selector: {app: triton}}, autoscaling: {enable: true}}`
)

// epoch is when the clock of every environment starts.
var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// configurations are shared by all tests that do not change them: a renderer is costly.
var configurations = struct {
	sync.Mutex
	byText map[string]func() *config.Config
}{byText: map[string]func() *config.Config{}}

func configuration(t *testing.T, text string) *config.Config {
	t.Helper()
	configurations.Lock()
	once, ok := configurations.byText[text]
	if !ok {
		once = sync.OnceValue(func() *config.Config { return newConfiguration(t, text) })
		configurations.byText[text] = once
	}
	configurations.Unlock()
	return once()
}

func newConfiguration(t *testing.T, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	c, err := config.Read(file, "tms", "system")
	require.NoError(t, err)
	return c
}

// write is one request of the controller that changes the cluster.
type write struct{ verb, kind, name string }

func (w write) String() string { return w.verb + " " + w.kind + " " + w.name }

// environment is a reconciler and the cluster that it changes.
type environment struct {
	t *testing.T
	*reconciler
	// cluster is the API server: what tests do with it is not recorded.
	cluster client.WithWatch
	// writes are the requests since the last call of written.
	writes []write
	// fail returns the error of a request, if it is set.
	fail   func(write) error
	events *recorder
	clock  time.Time
	// metrics answers the custom metrics API.
	metrics http.HandlerFunc
}

// newEnvironment returns an environment with these objects.
func newEnvironment(t *testing.T, text string, objects ...client.Object) *environment {
	t.Helper()
	scheme, err := Scheme()
	require.NoError(t, err)
	kinds, err := newWatchedKinds(scheme)
	require.NoError(t, err)
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithReturnManagedFields().
		WithStatusSubresource(new(v1alpha1.TritonLease)).WithIndex(new(v1alpha1.TritonLease), targetIndex, indexTarget)
	for _, k := range kinds {
		k.watched.Store(true)
		builder = builder.WithIndex(k.newObject(), ownerIndex, indexOwner)
	}
	e := &environment{t: t, cluster: builder.Build(), events: new(recorder), clock: epoch, metrics: http.NotFound}
	clients, err := kubernetes.NewForConfigAndClient(&rest.Config{Host: "http://cluster"}, &http.Client{Transport: transport(func(w http.ResponseWriter, r *http.Request) { e.metrics(w, r) })})
	require.NoError(t, err)
	e.reconciler = &reconciler{
		Client: e.intercepted(), live: e.cluster, configuration: configuration(t, text), installation: "system/tms",
		kinds: kinds, recorder: e.events, requests: requestRates{clients.RESTClient()}, now: func() time.Time { return e.clock },
	}
	return e
}

// transport answers requests without a network.
type transport http.HandlerFunc

func (handle transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	handle(w, r)
	return w.Result(), nil
}

// intercepted returns a client that records writes, and lets them fail. It reads as from
// the cache, which holds only objects with a label.
func (e *environment) intercepted() client.Client {
	record := func(verb string, object runtime.Object) error {
		o := object.(interface {
			runtime.Object
			GetName() string
		})
		gvk, err := e.cluster.GroupVersionKindFor(o)
		require.NoError(e.t, err)
		w := write{verb, gvk.Kind, o.GetName()}
		e.writes = append(e.writes, w)
		if e.fail != nil {
			return e.fail(w)
		}
		return nil
	}
	return interceptor.NewClient(e.cluster, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			err := c.Get(ctx, key, object, options...)
			if err == nil {
				_, err = trim(object)
			}
			if _, isLease := object.(*v1alpha1.TritonLease); err == nil && !isLease && object.GetLabels()[managedByLabel] != managedBy {
				return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
			}
			return err
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if err := c.List(ctx, list, options...); err != nil {
				return err
			}
			items, err := meta.ExtractList(list)
			if err != nil {
				return err
			}
			cached := items[:0]
			for _, item := range items {
				object := item.(client.Object)
				if _, isLease := item.(*v1alpha1.TritonLease); !isLease && object.GetLabels()[managedByLabel] != managedBy {
					continue
				}
				if _, err := trim(object); err != nil {
					return err
				}
				cached = append(cached, item)
			}
			return meta.SetList(list, cached)
		},
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if err := record("create", object); err != nil {
				return err
			}
			object.SetCreationTimestamp(metav1.NewTime(e.clock)) // as the API server does
			return c.Create(ctx, object, options...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, config runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			if err := record("apply", config.(runtime.Object)); err != nil {
				return err
			}
			return c.Apply(ctx, config, options...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			verb := "patch"
			if patch.Type() == types.JSONPatchType {
				verb = "take over"
			}
			if err := record(verb, object); err != nil {
				return err
			}
			return c.Patch(ctx, object, patch, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			asked := new(client.DeleteOptions).ApplyOptions(options)
			require.Equal(e.t, object.GetUID(), *asked.Preconditions.UID, "another object of the name may exist")
			if err := record("delete "+string(*asked.PropagationPolicy), object); err != nil {
				return err
			}
			return c.Delete(ctx, object, options...)
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, subResource string, object client.Object, options ...client.SubResourceUpdateOption) error {
			if err := record("update "+subResource, object); err != nil {
				return err
			}
			return c.SubResource(subResource).Update(ctx, object, options...)
		},
	})
}

// recorder keeps events.
type recorder struct {
	all []string
	// related are the objects of the events, nil if there is none.
	related []runtime.Object
}

// Eventf implements events.EventRecorder.
func (r *recorder) Eventf(_, related runtime.Object, eventType, reason, _, note string, args ...any) {
	r.all = append(r.all, eventType+" "+reason+": "+fmt.Sprintf(note, args...))
	r.related = append(r.related, related)
}

// recorded returns the events since its last call.
func (e *environment) recorded() []string {
	all := e.events.all
	e.events.all, e.events.related = nil, nil
	return all
}
