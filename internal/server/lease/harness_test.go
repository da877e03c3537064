package lease

import (
	"context"
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

// bounds are the administrator's in all tests.
const bounds = `
server:
  allowlist: [example.com/triton:1]
  autoscaling: {enable: true, replicas: {limits: {maximum: 5}}, metrics: {queueTime: {enabled: true}}}
`

// cluster is an API server, a controller that does what the test says, and a server of
// the API with its users, who call it by a network in memory.
type cluster struct {
	t *testing.T
	*Service
	live  client.WithWatch // the API server
	users *http.Client
	stop  func() // ends the server

	lock sync.Mutex
	// fail are errors of the API server by verb; memory is what reads of memory find,
	// where that is not what there is.
	fail   map[string]error
	memory func(*v1alpha1.TritonLease) error
	// onPatch is called, under the lock, when a patch has failed.
	onPatch func()
	// may says what users may; asked is what it was asked.
	may   func(user string, what authorizationv1.ResourceAttributes) bool
	asked []authorizationv1.ResourceAttributes
}

// newCluster returns one in which everybody may do everything. Change may change how.
func newCluster(t *testing.T, change ...func(*Config)) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte(bounds), 0o600))
	current, err := config.Read(file, "tms")
	require.NoError(t, err)
	stopping := make(chan struct{})
	c := &cluster{
		t: t, fail: map[string]error{}, stop: sync.OnceFunc(func() { close(stopping) }),
		may: func(string, authorizationv1.ResourceAttributes) bool { return true },
	}
	c.live = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(new(v1alpha1.TritonLease)).Build(), c.asAPIServer())
	control := auth.New(c.reviews())
	config := Config{
		Client: interceptor.NewClient(c.live, c.asMemory()), Live: c.live, Changes: &Changes{waiting: map[client.ObjectKey]map[chan struct{}]bool{}},
		Access: control, Configuration: current, Namespace: "default", Longest: time.Hour, Stopping: stopping,
	}
	for _, one := range change {
		one(&config)
	}
	c.Service = New(config)
	c.serve(auth.NewGate(control, auth.Limits{PerSecond: 1e9, Burst: 1e9, Reviews: 1e9}))
	return c
}

func (c *cluster) serve(gate *auth.Gate) {
	listener := memnet.Listen()
	_, handler := tmsv1connect.NewLeaseServiceHandler(c.Service, connect.WithRequestGate(
		func(ctx context.Context, _ connect.Spec, _ connect.Peer, header http.Header) (context.Context, error) {
			return gate.Admit(ctx, header.Get("Authorization"))
		}))
	server := &http.Server{Handler: handler}
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(listener)
		close(ended)
	}()
	c.users = listener.Client(false)
	c.t.Cleanup(func() {
		c.stop()
		c.users.CloseIdleConnections()
		_ = server.Close()
		<-ended
	})
}

// asAPIServer does what the fake does not: identities, and failures.
func (c *cluster) asAPIServer() interceptor.Funcs {
	tell := func(verb string, object client.Object, do func() error) error {
		c.lock.Lock()
		err := c.fail[verb]
		if err != nil && verb == "patch" && c.onPatch != nil {
			c.onPatch()
		}
		c.lock.Unlock()
		if err == nil {
			err = do()
		}
		if err == nil {
			c.Changes.tell(object)
		}
		return err
	}
	return interceptor.Funcs{
		Create: func(ctx context.Context, to client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return tell("create", object, func() error {
				object.SetUID(uuid.NewUUID())
				object.SetCreationTimestamp(metav1.NewTime(time.Now().Truncate(time.Second)))
				return to.Create(ctx, object, options...)
			})
		},
		Patch: func(ctx context.Context, to client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return tell("patch", object, func() error { return to.Patch(ctx, object, patch, options...) })
		},
		Delete: func(ctx context.Context, to client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return tell("delete", object, func() error { return to.Delete(ctx, object, options...) })
		},
		Get: func(ctx context.Context, to client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			c.lock.Lock()
			err := c.fail["get"]
			c.lock.Unlock()
			if err != nil {
				return err
			}
			return to.Get(ctx, key, object, options...)
		},
	}
}

// asMemory reads from memory.
func (c *cluster) asMemory() interceptor.Funcs {
	return interceptor.Funcs{Get: func(ctx context.Context, to client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
		c.lock.Lock()
		memory := c.memory
		c.lock.Unlock()
		if memory != nil {
			return memory(object.(*v1alpha1.TritonLease))
		}
		return to.Get(ctx, key, object, options...)
	}}
}

// reviews has a token be the name of its user.
func (c *cluster) reviews() *kubernetesfake.Clientset {
	clients := kubernetesfake.NewClientset()
	clients.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: review.Spec.Token}}
		return true, review, nil
	})
	clients.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		c.lock.Lock()
		defer c.lock.Unlock()
		c.asked = append(c.asked, *review.Spec.ResourceAttributes)
		review.Status.Allowed = c.may(review.Spec.User, *review.Spec.ResourceAttributes)
		return true, review, nil
	})
	return clients
}

// as returns a client of a user.
func (c *cluster) as(user string) tmsv1connect.LeaseServiceClient {
	return tmsv1connect.NewLeaseServiceClient(c.users, "http://server", connect.WithInterceptors(bearer(user)))
}

// nothing is a memory that has nothing.
func nothing(*v1alpha1.TritonLease) error { return notFound }

// set changes what the cluster does.
func (c *cluster) set(change func()) {
	c.lock.Lock()
	defer c.lock.Unlock()
	change()
}

// lease returns a lease of the namespace default, nil where there is none.
func (c *cluster) lease(name string) *v1alpha1.TritonLease {
	c.t.Helper()
	lease := new(v1alpha1.TritonLease)
	err := c.live.Get(context.Background(), client.ObjectKey{Namespace: "default", Name: name}, lease)
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
	require.NoError(c.t, c.live.List(context.Background(), &leases))
	return leases.Items
}

// observe writes the status of the lease a, as the controller does.
func (c *cluster) observe(change func(*v1alpha1.TritonLeaseStatus)) {
	c.t.Helper()
	lease := c.lease("a")
	require.NotNil(c.t, lease)
	change(&lease.Status)
	require.NoError(c.t, c.live.Status().Update(context.Background(), lease))
	c.Changes.tell(lease)
}
