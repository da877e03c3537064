// Package lease implements tms.v1.LeaseService with TritonLease objects, which the
// controller reconciles.
package lease

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/auth"
	"github.com/triton-leases/tms/internal/budget"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/server/audit"
	"github.com/triton-leases/tms/internal/server/violations"
)

// Config configures a Service.
type Config struct {
	// Client reads from the cache, APIReader from the API server.
	Client    client.Client
	APIReader client.Reader
	// Notifier notifies of changes in the cache.
	Notifier *Notifier
	// Reviewer authorizes the calls.
	Reviewer      *auth.Reviewer
	Configuration *config.Config
	// Installation is the installation of the controller, as namespace/release.
	Installation string
	// Namespace is the namespace of requests without one.
	Namespace string
	// Namespaces are the namespaces that the controller watches. Empty means all.
	Namespaces []string
	// MaxWait is how long an Acquire may wait. It is also the deadline of a call without
	// one.
	MaxWait time.Duration
	// Stopping is closed when the server begins to shut down.
	Stopping <-chan struct{}
}

// Service implements tmsv1connect.LeaseServiceHandler.
type Service struct {
	Config
	now      func() time.Time
	requests budget.Requests
}

var _ tmsv1connect.LeaseServiceHandler = (*Service)(nil)

// New returns a Service.
func New(config Config) *Service { return &Service{Config: config, now: time.Now} }

// Release implements tmsv1connect.LeaseServiceHandler.
func (s *Service) Release(ctx context.Context, request *connect.Request[tmsv1.ReleaseRequest]) (*connect.Response[tmsv1.ReleaseResponse], error) {
	key, err := s.authorizeLease(ctx, "delete", request.Msg)
	if err != nil {
		return nil, err
	}
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	err = s.Client.Delete(ctx, lease)
	if client.IgnoreNotFound(err) != nil {
		return nil, APIServerError(ctx, err)
	}
	return connect.NewResponse(&tmsv1.ReleaseResponse{Found: err == nil}), nil
}

// Renew implements tmsv1connect.LeaseServiceHandler.
func (s *Service) Renew(ctx context.Context, request *connect.Request[tmsv1.RenewRequest]) (*connect.Response[tmsv1.RenewResponse], error) {
	key, err := s.authorizeLease(ctx, "update", request.Msg)
	if err != nil {
		return nil, err
	}
	lease, err := s.get(ctx, key)
	if err != nil {
		return nil, err
	}
	now := metav1.NewTime(s.now().Truncate(time.Second))
	before := lease.DeepCopy()
	lease.Spec.RenewTime = &now
	if err := s.Client.Patch(ctx, lease, client.MergeFrom(before)); err != nil {
		return nil, leaseError(ctx, key, err)
	}
	response := new(tmsv1.RenewResponse)
	if granted := lease.Status.Granted; granted != nil && granted.Duration.Value() > 0 {
		response.ExpiresAt = timestamppb.New(now.Add(granted.Duration.Value()))
	}
	return connect.NewResponse(response), nil
}

// Reload implements tmsv1connect.LeaseServiceHandler.
func (s *Service) Reload(ctx context.Context, request *connect.Request[tmsv1.ReloadRequest]) (*connect.Response[tmsv1.ReloadResponse], error) {
	key, err := s.authorizeLease(ctx, "update", request.Msg)
	if err != nil {
		return nil, err
	}
	lease, err := s.get(ctx, key)
	if err != nil {
		return nil, err
	}
	if lease.Spec.Target != nil {
		var refused violations.List
		refused.Add("id", "the lease scales an existing workload: restart that workload")
		return nil, refused.WithCode(connect.CodeFailedPrecondition)
	}
	now := metav1.NewTime(s.now().Truncate(time.Second))
	before := lease.DeepCopy()
	lease.Spec.ReloadTime = &now
	if err := s.Client.Patch(ctx, lease, client.MergeFrom(before)); err != nil {
		return nil, leaseError(ctx, key, err)
	}
	return connect.NewResponse(&tmsv1.ReloadResponse{ReloadTime: timestamppb.New(now.Time)}), nil
}

// Status implements tmsv1connect.LeaseServiceHandler.
func (s *Service) Status(ctx context.Context, request *connect.Request[tmsv1.StatusRequest]) (*connect.Response[tmsv1.StatusResponse], error) {
	key, err := s.authorizeLease(ctx, "get", request.Msg)
	if err != nil {
		return nil, err
	}
	lease, err := s.get(ctx, key)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&tmsv1.StatusResponse{Lease: toProto(lease)}), nil
}

// get reads a lease from the API server. The cache of this replica may be older than
// what another replica sent to the caller.
func (s *Service) get(ctx context.Context, key client.ObjectKey) (*v1alpha1.TritonLease, error) {
	lease := new(v1alpha1.TritonLease)
	if err := s.APIReader.Get(ctx, key, lease); err != nil {
		return nil, leaseError(ctx, key, err)
	}
	return lease, nil
}

// leaseError is APIServerError with the code NOT_FOUND for a lease that does not exist.
func leaseError(ctx context.Context, key client.ObjectKey, err error) error {
	if apierrors.IsNotFound(err) {
		return connect.NewError(connect.CodeNotFound, fmt.Errorf("lease %q does not exist in the namespace %q", key.Name, key.Namespace))
	}
	return APIServerError(ctx, err)
}

// leaseRequest is a request about one lease.
type leaseRequest interface {
	GetNamespace() string
	GetId() string
}

// authorizeLease returns the key of the lease of a request if the caller has the right
// for a verb.
func (s *Service) authorizeLease(ctx context.Context, verb string, request leaseRequest) (client.ObjectKey, error) {
	key := client.ObjectKey{Namespace: s.RequestedNamespace(request.GetNamespace()), Name: request.GetId()}
	var invalid violations.List
	invalid.CheckLabel("namespace", key.Namespace)
	invalid.CheckLabel("id", key.Name)
	if err := invalid.InvalidArgument(); err != nil {
		return key, err
	}
	audit.SetLease(ctx, key.Namespace, key.Name)
	return key, s.authorize(ctx, verb, key)
}

// authorize is Authorize for tritonleases.
func (s *Service) authorize(ctx context.Context, verb string, key client.ObjectKey) error {
	return s.Authorize(ctx, verb, "tritonleases", key)
}

// Authorize returns an error if the caller lacks the right for a verb on a resource of the
// API group of TritonLease, or if the controller does not watch the namespace. The name of
// key is empty for all objects, the namespace for all namespaces.
func (c *Config) Authorize(ctx context.Context, verb, resource string, key client.ObjectKey) error {
	err := c.Reviewer.Authorize(ctx, auth.Attributes{
		Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource, Namespace: key.Namespace, Name: key.Name,
	})
	if err == nil && len(c.Namespaces) > 0 && key.Namespace != "" && !slices.Contains(c.Namespaces, key.Namespace) {
		var refused violations.List
		refused.Add("namespace", fmt.Sprintf("tms-server does not watch the namespace %q", key.Namespace))
		return refused.WithCode(connect.CodeFailedPrecondition)
	}
	return err
}

// RequestedNamespace returns the namespace of a request, which may be empty.
func (c *Config) RequestedNamespace(requested string) string { return cmp.Or(requested, c.Namespace) }
