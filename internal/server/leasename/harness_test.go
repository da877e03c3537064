package leasename_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	kubernetesfake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/server/lease"
	"github.com/triton-leases/tms/internal/server/leasename"
)

// configuration returns the configuration of all tests, which is read only once.
var configuration = sync.OnceValues(func() (*config.Config, error) {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "values.yaml")
	if err := os.WriteFile(file, []byte("server: {enabled: true}\nimages: {server: example.com/tms-server}\n"), 0o600); err != nil {
		return nil, err
	}
	return config.Read(file, "tms", "system")
})

// fixture is a Service with a fake API server.
type fixture struct {
	*testing.T
	*leasename.Service
	apiServer client.WithWatch
	// before runs before each write of a Service, and written counts the writes.
	before  func() error
	written int
	// denied are the rights that callers lack, as verb and resource, and reviewed those that
	// were reviewed, with the namespace and the name.
	denied   []string
	reviewed []string
}

func newFixture(t *testing.T, namespaces ...string) *fixture {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	require.NoError(t, corev1.AddToScheme(scheme))
	current, err := configuration()
	require.NoError(t, err)
	f := &fixture{T: t, apiServer: fake.NewClientBuilder().WithScheme(scheme).Build()}
	write := func(object client.Object, do func() error) error {
		if _, ok := object.(*corev1.Service); ok {
			if before := f.before; before != nil {
				f.before = nil
				if err := before(); err != nil {
					return err
				}
			}
			f.written++
		}
		return do()
	}
	writer := interceptor.NewClient(f.apiServer, interceptor.Funcs{
		Create: func(ctx context.Context, to client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return write(object, func() error { return to.Create(ctx, object, options...) })
		},
		Patch: func(ctx context.Context, to client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return write(object, func() error { return to.Patch(ctx, object, patch, options...) })
		},
		Delete: func(ctx context.Context, to client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return write(object, func() error { return to.Delete(ctx, object, options...) })
		},
	})
	clients := kubernetesfake.NewClientset()
	clients.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		a := review.Spec.ResourceAttributes
		f.reviewed = append(f.reviewed, a.Verb+" "+a.Group+"/"+a.Resource+" "+a.Namespace+"/"+a.Name)
		review.Status.Allowed = !slices.Contains(f.denied, a.Verb+" "+a.Resource)
		return true, review, nil
	})
	f.Service = leasename.New(lease.Config{
		Client: writer, APIReader: f.apiServer, Reviewer: auth.New(clients), Configuration: current,
		Installation: "system/tms", Namespace: "default", Namespaces: namespaces,
	}, client.ObjectKey{Namespace: "system", Name: "tms"})
	return f
}

// lease creates a lease of the namespace default that serves, and its Service.
func (f *fixture) lease(name string, change ...func(*v1alpha1.TritonLease, *corev1.Service)) {
	f.Helper()
	l := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)}}
	l.Status.Address = "tms-" + name + ".default.svc"
	for _, condition := range []string{v1alpha1.ConditionGranted, v1alpha1.ConditionReady} {
		l.Status.Conditions = append(l.Status.Conditions, metav1.Condition{Type: condition, Status: metav1.ConditionTrue, Message: "1 of 1 replicas serve"})
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "tms-" + name, Labels: map[string]string{"app.kubernetes.io/managed-by": "tms-server", v1alpha1.LeaseLabel: name},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(l, v1alpha1.GroupVersion.WithKind("TritonLease"))},
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Selector: selector(name),
			Ports: []corev1.ServicePort{
				{Name: "http", Port: 8000, NodePort: 30000, TargetPort: intstr.FromString("http")},
				{Name: "grpc", Port: 8001, NodePort: 30001, TargetPort: intstr.FromString("grpc")},
			},
		},
	}
	for _, c := range change {
		c(l, service)
	}
	require.NoError(f, f.apiServer.Create(f.Context(), l))
	if service.Name != "" {
		require.NoError(f, f.apiServer.Create(f.Context(), service))
	}
}

// notServing is a change of a lease that has no replica yet.
func notServing(l *v1alpha1.TritonLease, _ *corev1.Service) {
	l.Status.Conditions[1].Status, l.Status.Conditions[1].Message = metav1.ConditionFalse, "0 of 1 replicas serve"
}

func selector(lease string) map[string]string {
	return map[string]string{"app.kubernetes.io/name": "tms", "app.kubernetes.io/instance": "tms", v1alpha1.LeaseLabel: lease}
}

// create creates a name, and returns the lease that it pointed to before.
func (f *fixture) create(name, lease string, change ...func(*tmsv1.LeaseNameServiceCreateRequest)) (string, error) {
	request := &tmsv1.LeaseNameServiceCreateRequest{Name: name, LeaseId: lease}
	for _, c := range change {
		c(request)
	}
	response, err := f.Create(context.Background(), connect.NewRequest(request))
	if err != nil {
		return "", err
	}
	return response.Msg.GetReplacedLeaseId(), nil
}

func replace(request *tmsv1.LeaseNameServiceCreateRequest)         { request.Replace = true }
func allowNotServing(request *tmsv1.LeaseNameServiceCreateRequest) { request.AllowNotServing = true }

func (f *fixture) remove(name string) (bool, error) {
	response, err := f.Delete(context.Background(), connect.NewRequest(&tmsv1.LeaseNameServiceDeleteRequest{Name: name}))
	if err != nil {
		return false, err
	}
	return response.Msg.GetFound(), nil
}

// list returns the names in a namespace, as namespace/name lease state.
func (f *fixture) list(namespace string) (names []string) {
	f.Helper()
	request := &tmsv1.LeaseNameServiceListRequest{Namespace: namespace, PageSize: 1}
	for {
		response, err := f.List(context.Background(), connect.NewRequest(request))
		require.NoError(f, err)
		require.LessOrEqual(f, len(response.Msg.GetNames()), 1)
		for _, name := range response.Msg.GetNames() {
			names = append(names, name.GetNamespace()+"/"+name.GetName()+" "+name.GetLeaseId()+" "+name.GetLeaseState().String())
		}
		if request.PageToken = response.Msg.GetNextPageToken(); request.PageToken == "" {
			return names
		}
	}
}

// service returns a Service of the namespace default.
func (f *fixture) service(name string) *corev1.Service {
	f.Helper()
	service := new(corev1.Service)
	require.NoError(f, f.apiServer.Get(f.Context(), client.ObjectKey{Namespace: "default", Name: name}, service))
	return service
}
