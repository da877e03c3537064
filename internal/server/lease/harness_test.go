package lease

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	kubernetesfake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/testing/memnet"
)

// values is the configuration of all tests.
const values = `
server:
  allowlist: [example.com/triton:1]
  autoscaling: {enable: true, replicas: {limits: {maximum: 5}}, metrics: {queueTime: {enabled: true}}}
  leases: {budget: {namespaces: {small: {gpus: 4}, idle: {gpus: 1}}}}
`

// configuration returns the configuration of all tests, which is read only once.
var configuration = sync.OnceValues(func() (*config.Config, error) {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		return nil, err
	}
	return config.Read(file, "tms", "system")
})

// cluster is a fake API server, and a server of the API on a network in memory. The test
// plays the controller.
type cluster struct {
	t *testing.T
	*Service
	apiServer  client.WithWatch
	httpClient *http.Client
	stop       func() // shuts the server down

	lock sync.Mutex
	// fail holds errors of the API server by verb.
	fail map[string]error
	// readCache replaces reads of the cache if it is not nil.
	readCache func(*v1alpha1.TritonLease) error
	// onPatchError runs, under the lock, after a patch failed.
	onPatchError func()
	// allow decides SubjectAccessReviews, and reviewed are their attributes.
	allow    func(user string, attributes authorizationv1.ResourceAttributes) bool
	reviewed []authorizationv1.ResourceAttributes
	// invalidTokens refuses all tokens, and renamed is the user of all tokens if it is not
	// empty.
	invalidTokens bool
	renamed       string
	// called counts the requests to the API server by verb.
	called map[string]int
}

// newCluster returns a cluster in which all users have all rights. Each change changes
// the configuration of the service first.
func newCluster(t *testing.T, changes ...func(*Config)) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	current, err := configuration()
	require.NoError(t, err)
	stopping := make(chan struct{})
	c := &cluster{
		t: t, fail: map[string]error{}, called: map[string]int{}, stop: sync.OnceFunc(func() { close(stopping) }),
		allow: func(string, authorizationv1.ResourceAttributes) bool { return true },
	}
	c.apiServer = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(new(v1alpha1.TritonLease)).Build(), c.apiServerFuncs())
	reviewer := auth.New(c.reviews())
	config := Config{
		Client: interceptor.NewClient(c.apiServer, c.cacheFuncs()), APIReader: c.apiServer, Notifier: &Notifier{subscribers: map[client.ObjectKey]map[chan struct{}]bool{}},
		Reviewer: reviewer, Configuration: current, Installation: "system/tms", Namespace: "default", MaxWait: time.Hour, Stopping: stopping,
	}
	for _, change := range changes {
		change(&config)
	}
	c.Service = New(config)
	c.serve(auth.NewGate(reviewer, auth.Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 1e9, ReviewsPerAddress: 1e9}))
	return c
}

func (c *cluster) serve(gate *auth.Gate) {
	listener := memnet.Listen()
	_, handler := tmsv1connect.NewLeaseServiceHandler(c.Service, connect.WithRequestGate(
		func(ctx context.Context, _ connect.Spec, peer connect.Peer, header http.Header) (context.Context, error) {
			return gate.Admit(ctx, auth.Source(peer.Addr), header.Get("Authorization"))
		}))
	server := &http.Server{Handler: handler}
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(listener)
		close(ended)
	}()
	c.httpClient = listener.Client(false)
	c.t.Cleanup(func() {
		c.stop()
		c.httpClient.CloseIdleConnections()
		_ = server.Close()
		<-ended
	})
}

// apiServerFuncs adds UIDs and errors to the fake client, and notifies of changes.
func (c *cluster) apiServerFuncs() interceptor.Funcs {
	call := func(verb string, object client.Object, do func() error) error {
		c.lock.Lock()
		c.called[verb]++
		err := c.fail[verb]
		if err != nil && verb == "patch" && c.onPatchError != nil {
			c.onPatchError()
		}
		c.lock.Unlock()
		if err == nil {
			err = do()
		}
		if err == nil {
			c.Notifier.notify(object)
		}
		return err
	}
	return interceptor.Funcs{
		Create: func(ctx context.Context, to client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return call("create", object, func() error {
				object.SetUID(uuid.NewUUID())
				object.SetCreationTimestamp(metav1.NewTime(time.Now().Truncate(time.Second)))
				return to.Create(ctx, object, options...)
			})
		},
		Patch: func(ctx context.Context, to client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return call("patch", object, func() error { return to.Patch(ctx, object, patch, options...) })
		},
		Delete: func(ctx context.Context, to client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return call("delete", object, func() error { return to.Delete(ctx, object, options...) })
		},
		Get: func(ctx context.Context, to client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			c.lock.Lock()
			c.called["get"]++
			err := c.fail["get"]
			c.lock.Unlock()
			if err != nil {
				return err
			}
			return to.Get(ctx, key, object, options...)
		},
	}
}

// cacheFuncs makes Get read the cache.
func (c *cluster) cacheFuncs() interceptor.Funcs {
	return interceptor.Funcs{Get: func(ctx context.Context, to client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
		c.lock.Lock()
		readCache := c.readCache
		if readCache == nil {
			c.called["get"]-- // the Get below is one of the cache
		}
		c.lock.Unlock()
		if readCache != nil {
			return readCache(object.(*v1alpha1.TritonLease))
		}
		return to.Get(ctx, key, object, options...)
	}}
}

// reviews returns a client. Its TokenReviews take a token as the name of the user.
func (c *cluster) reviews() *kubernetesfake.Clientset {
	clients := kubernetesfake.NewClientset()
	clients.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		c.lock.Lock()
		defer c.lock.Unlock()
		review.Status = authenticationv1.TokenReviewStatus{
			Authenticated: !c.invalidTokens, User: authenticationv1.UserInfo{Username: cmp.Or(c.renamed, review.Spec.Token)},
		}
		return true, review, nil
	})
	clients.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		c.lock.Lock()
		defer c.lock.Unlock()
		c.reviewed = append(c.reviewed, *review.Spec.ResourceAttributes)
		review.Status.Allowed = c.allow(review.Spec.User, *review.Spec.ResourceAttributes)
		return true, review, nil
	})
	return clients
}

// as returns a client that calls the API as a user.
func (c *cluster) as(user string) tmsv1connect.LeaseServiceClient {
	return tmsv1connect.NewLeaseServiceClient(c.httpClient, "http://server", connect.WithInterceptors(bearer(user)))
}

// cacheMiss is a read of a cache that is empty.
func cacheMiss(*v1alpha1.TritonLease) error { return notFound }

// requests returns the number of requests to the API server by verb.
func (c *cluster) requests() map[string]int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return maps.Clone(c.called)
}

// set runs change under the lock.
func (c *cluster) set(change func()) {
	c.lock.Lock()
	defer c.lock.Unlock()
	change()
}

// lease returns a lease of the namespace default, and nil if it does not exist.
func (c *cluster) lease(name string) *v1alpha1.TritonLease {
	c.t.Helper()
	lease := new(v1alpha1.TritonLease)
	err := c.apiServer.Get(context.Background(), client.ObjectKey{Namespace: "default", Name: name}, lease)
	if client.IgnoreNotFound(err) == nil && err != nil {
		return nil
	}
	require.NoError(c.t, err)
	return lease
}

// all returns all leases.
func (c *cluster) all() []v1alpha1.TritonLease {
	c.t.Helper()
	var leases v1alpha1.TritonLeaseList
	require.NoError(c.t, c.apiServer.List(context.Background(), &leases))
	return leases.Items
}

// reconcile updates the status of the lease a, as the controller does.
func (c *cluster) reconcile(change func(*v1alpha1.TritonLeaseStatus)) {
	c.t.Helper()
	lease := c.lease("a")
	require.NotNil(c.t, lease)
	change(&lease.Status)
	require.NoError(c.t, c.apiServer.Status().Update(context.Background(), lease))
	c.Notifier.notify(lease)
}
