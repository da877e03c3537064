// Package lease serves tms.v1.LeaseService. A lease is a TritonLease in the cluster;
// the controller makes what it consists of. This package creates, watches, changes
// and deletes TritonLeases for callers who may.
package lease

import (
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
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/server/problem"
)

// Config is what the service works with.
type Config struct {
	// Client reads from memory, Live from the API server.
	Client client.Client
	Live   client.Reader
	// Changes tells of leases that change in memory.
	Changes *Changes
	// Access says what callers may.
	Access        *auth.Control
	Configuration *config.Config
	// Namespace is that of requests that name none.
	Namespace string
	// Namespaces are those whose leases the server looks after, all where there is none.
	Namespaces []string
	// Longest is how long a caller may wait for a lease, and does where it has no deadline.
	Longest time.Duration
	// Stopping is closed when the server is about to end.
	Stopping <-chan struct{}
}

// Service implements tmsv1connect.LeaseServiceHandler.
type Service struct {
	Config
	now func() time.Time
}

var _ tmsv1connect.LeaseServiceHandler = (*Service)(nil)

// New returns the service.
func New(config Config) *Service { return &Service{Config: config, now: time.Now} }

// Release implements tmsv1connect.LeaseServiceHandler.
func (s *Service) Release(ctx context.Context, request *connect.Request[tmsv1.ReleaseRequest]) (*connect.Response[tmsv1.ReleaseResponse], error) {
	key, err := s.admit(ctx, "delete", request.Msg)
	if err != nil {
		return nil, err
	}
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	if err := client.IgnoreNotFound(s.Client.Delete(ctx, lease)); err != nil {
		return nil, failed(ctx, err)
	}
	return connect.NewResponse(&tmsv1.ReleaseResponse{}), nil
}

// Renew implements tmsv1connect.LeaseServiceHandler.
func (s *Service) Renew(ctx context.Context, request *connect.Request[tmsv1.RenewRequest]) (*connect.Response[tmsv1.RenewResponse], error) {
	key, err := s.admit(ctx, "update", request.Msg)
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
		return nil, s.missing(ctx, key, err)
	}
	renewed := new(tmsv1.RenewResponse)
	if granted := lease.Status.Granted; granted != nil && granted.Duration.Value() > 0 {
		renewed.ExpiresAt = timestamppb.New(now.Add(granted.Duration.Value()))
	}
	return connect.NewResponse(renewed), nil
}

// Status implements tmsv1connect.LeaseServiceHandler.
func (s *Service) Status(ctx context.Context, request *connect.Request[tmsv1.StatusRequest]) (*connect.Response[tmsv1.StatusResponse], error) {
	key, err := s.admit(ctx, "get", request.Msg)
	if err != nil {
		return nil, err
	}
	lease, err := s.get(ctx, key)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&tmsv1.StatusResponse{Lease: answer(lease)}), nil
}

// get reads a lease from the API server, because what is in memory may be behind what
// the caller was told by another replica.
func (s *Service) get(ctx context.Context, key client.ObjectKey) (*v1alpha1.TritonLease, error) {
	lease := new(v1alpha1.TritonLease)
	if err := s.Live.Get(ctx, key, lease); err != nil {
		return nil, s.missing(ctx, key, err)
	}
	return lease, nil
}

// missing says that a lease is not there, where an error does.
func (s *Service) missing(ctx context.Context, key client.ObjectKey, err error) error {
	if apierrors.IsNotFound(err) {
		return connect.NewError(connect.CodeNotFound, fmt.Errorf("no lease %q in the namespace %q", key.Name, key.Namespace))
	}
	return failed(ctx, err)
}

// named is a request about one lease.
type named interface {
	GetNamespace() string
	GetId() string
}

// admit returns which lease a request is about, where its caller may do so.
func (s *Service) admit(ctx context.Context, verb string, request named) (client.ObjectKey, error) {
	key := client.ObjectKey{Namespace: s.namespace(request.GetNamespace()), Name: request.GetId()}
	var wrong problem.Violations
	wrong.Label("namespace", key.Namespace)
	wrong.Label("id", key.Name)
	if err := wrong.Err(); err != nil {
		return key, err
	}
	return key, s.authorize(ctx, verb, key)
}

// authorize returns an error where the caller may not do so, or nobody here can.
func (s *Service) authorize(ctx context.Context, verb string, key client.ObjectKey) error {
	err := s.Access.Authorize(ctx, auth.Attributes{
		Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: "tritonleases", Namespace: key.Namespace, Name: key.Name,
	})
	if err == nil && len(s.Namespaces) > 0 && key.Namespace != "" && !slices.Contains(s.Namespaces, key.Namespace) {
		return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("namespace: nobody looks after leases in the namespace %q", key.Namespace))
	}
	return err
}

func (s *Service) namespace(asked string) string {
	if asked == "" {
		return s.Namespace
	}
	return asked
}
