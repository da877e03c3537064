package allowlist_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubernetesfake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/server/allowlist"
)

var (
	key      = client.ObjectKey{Namespace: "tms", Name: "tms-allowlist"}
	resource = schema.GroupResource{Resource: "configmaps"}
)

// values is the configuration of all tests.
const values = "server: {allowlist: [example.com/triton:values]}"

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

// fixture is a Service with a fake API server.
type fixture struct {
	*testing.T
	*allowlist.Service
	apiServer client.Client
	// patch runs before each patch. Its error is the response of the API server.
	patch func() error
	// allowed is the result of all SubjectAccessReviews, and reviewed are their attributes.
	allowed  bool
	reviewed []authorizationv1.ResourceAttributes
}

func newFixture(t *testing.T, images string) *fixture {
	t.Helper()
	current, err := configuration()
	require.NoError(t, err)
	scheme := runtime.NewScheme()
	require.NoError(t, corev1.AddToScheme(scheme))
	f := &fixture{T: t, allowed: true, patch: func() error { return nil }}
	list := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	if images != "" {
		list.Data = map[string]string{config.AllowlistKey: images}
	}
	f.apiServer = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(list).Build(), interceptor.Funcs{
		Patch: func(ctx context.Context, to client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if err := f.patch(); err != nil {
				return err
			}
			return to.Patch(ctx, object, patch, options...)
		},
	})
	clients := kubernetesfake.NewClientset()
	clients.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		f.reviewed = append(f.reviewed, *review.Spec.ResourceAttributes)
		review.Status.Allowed = f.allowed
		return true, review, nil
	})
	f.Service = allowlist.New(allowlist.Config{
		Client: f.apiServer, APIReader: f.apiServer, Reviewer: auth.New(clients), Configuration: current, ConfigMap: key,
	})
	return f
}

func (f *fixture) add(images ...string) ([]string, error) {
	response, err := f.Append(context.Background(), connect.NewRequest(&tmsv1.AppendRequest{Images: images}))
	return response.Msg.GetAdded(), err
}

func (f *fixture) remove(images ...string) ([]string, error) {
	response, err := f.Remove(context.Background(), connect.NewRequest(&tmsv1.RemoveRequest{Images: images}))
	return response.Msg.GetRemoved(), err
}

// list returns the images without the default. Images of the values end with a star.
func (f *fixture) list() []string {
	f.Helper()
	response, err := f.List(context.Background(), connect.NewRequest(new(tmsv1.AllowlistServiceListRequest)))
	require.NoError(f, err)
	var images []string
	for _, image := range response.Msg.GetImages() {
		images = append(images, image.GetImage()+strings.Repeat("*", map[bool]int{true: 1}[image.GetInValues()]))
	}
	return images[1:]
}

// stored returns the images in the ConfigMap.
func (f *fixture) stored() string {
	f.Helper()
	list := new(corev1.ConfigMap)
	require.NoError(f, f.apiServer.Get(context.Background(), key, list))
	return list.Data[config.AllowlistKey]
}
