// Package leasename implements tms.v1.LeaseNameService with Services that select the pods
// of a lease.
package leasename

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/server/audit"
	"github.com/triton-leases/tms/internal/server/lease"
	"github.com/triton-leases/tms/internal/server/paging"
	"github.com/triton-leases/tms/internal/server/violations"
)

// resource is the virtual resource on which callers need rights.
const resource = "tritonleasenames"

// Service implements tmsv1connect.LeaseNameServiceHandler.
type Service struct {
	lease.Config
	// release is the namespace and the name of the release of tms-server.
	release client.ObjectKey
}

var _ tmsv1connect.LeaseNameServiceHandler = (*Service)(nil)

// New returns a Service with the configuration of LeaseService. release is the namespace
// and the name of the release of tms-server.
func New(config lease.Config, release client.ObjectKey) *Service { return &Service{config, release} }

// Create implements tmsv1connect.LeaseNameServiceHandler. One write changes a name, and only
// if nothing else has changed it since it was read.
func (s *Service) Create(ctx context.Context, request *connect.Request[tmsv1.LeaseNameServiceCreateRequest]) (*connect.Response[tmsv1.LeaseNameServiceCreateResponse], error) {
	key, err := s.authorizeCreate(ctx, request.Msg)
	if err != nil {
		return nil, err
	}
	target, err := s.target(ctx, client.ObjectKey{Namespace: key.Namespace, Name: request.Msg.GetLeaseId()})
	if err != nil {
		return nil, err
	}
	c := &creation{Service: s, request: request.Msg, key: key, target: target, wanted: s.service(ctx, key, target)}
	if err := retry.RetryOnConflict(retry.DefaultRetry, func() error { return c.try(ctx) }); err != nil {
		return nil, apiServerError(ctx, err)
	}
	name := toProto(c.result)
	name.LeaseState, _ = lease.StateOf(target.lease)
	return connect.NewResponse(&tmsv1.LeaseNameServiceCreateResponse{Name: name, ReplacedLeaseId: c.replaced}), nil
}

// authorizeCreate checks and authorizes a request, and returns the key of the name.
func (s *Service) authorizeCreate(ctx context.Context, request *tmsv1.LeaseNameServiceCreateRequest) (client.ObjectKey, error) {
	key := client.ObjectKey{Namespace: s.RequestedNamespace(request.GetNamespace()), Name: request.GetName()}
	var invalid violations.List
	invalid.CheckLabel("namespace", key.Namespace)
	checkName(&invalid, key.Name)
	invalid.CheckLabel("lease_id", request.GetLeaseId())
	if err := invalid.InvalidArgument(); err != nil {
		return key, err
	}
	audit.SetName(ctx, key.Namespace, key.Name, request.GetLeaseId())
	verbs := []string{"create"}
	if request.GetReplace() {
		verbs = append(verbs, "update")
	}
	for _, verb := range verbs {
		if err := s.Authorize(ctx, verb, resource, key); err != nil {
			return key, err
		}
	}
	return key, s.Authorize(ctx, "get", "tritonleases", client.ObjectKey{Namespace: key.Namespace, Name: request.GetLeaseId()})
}

// creation is one call of Create.
type creation struct {
	*Service
	request *tmsv1.LeaseNameServiceCreateRequest
	key     client.ObjectKey
	target  *target
	wanted  *corev1.Service
	// result is the Service after the call, and replaced is the lease that it selected before.
	result   *corev1.Service
	replaced string
}

// try creates or switches the name. It returns a conflict if the Service is changed at the
// same time.
func (c *creation) try(ctx context.Context) error {
	existing := new(corev1.Service)
	err := c.APIReader.Get(ctx, c.key, existing)
	if apierrors.IsNotFound(err) {
		return c.createNew(ctx)
	}
	if err != nil {
		return err
	}
	if !c.owns(existing) {
		return alreadyExists("Service %q exists and is not a name of this tms-server: choose another name", c.key.Name)
	}
	if !existing.DeletionTimestamp.IsZero() { // a load balancer has a finalizer
		return apierrors.NewConflict(corev1.Resource("services"), c.key.Name, errors.New("it is being deleted"))
	}
	c.result, c.replaced = existing, ""
	if isAs(existing, c.wanted) {
		return nil
	}
	if before := existing.Labels[v1alpha1.NamedLeaseLabel]; before != c.target.lease.Name {
		if !c.request.GetReplace() {
			return alreadyExists("name %q points to lease %q: use replace (tmsctl: --replace) to switch it", c.key.Name, before)
		}
		c.replaced = before
	}
	if err := c.checkServing(); err != nil {
		return err
	}
	c.result = existing.DeepCopy()
	change(c.result, c.wanted)
	return c.Client.Patch(ctx, c.result, client.MergeFromWithOptions(existing, client.MergeFromWithOptimisticLock{}))
}

// createNew creates a name that does not exist.
func (c *creation) createNew(ctx context.Context) error {
	if err := c.checkReserved(ctx, c.key); err != nil {
		return err
	}
	if err := c.checkServing(); err != nil {
		return err
	}
	c.result = c.wanted.DeepCopy()
	err := c.Client.Create(ctx, c.result)
	if apierrors.IsAlreadyExists(err) { // another call created it
		return apierrors.NewConflict(corev1.Resource("services"), c.key.Name, err)
	}
	return err
}

func (c *creation) checkServing() error {
	state, message := lease.StateOf(c.target.lease)
	if state == tmsv1.State_STATE_SERVING || c.request.GetAllowNotServing() {
		return nil
	}
	return refused(connect.CodeFailedPrecondition, "lease_id",
		"lease %q does not serve (%s): wait until it serves, or use allow_not_serving (tmsctl: --allow-not-serving)", c.target.lease.Name, message)
}

// Delete implements tmsv1connect.LeaseNameServiceHandler.
func (s *Service) Delete(ctx context.Context, request *connect.Request[tmsv1.LeaseNameServiceDeleteRequest]) (*connect.Response[tmsv1.LeaseNameServiceDeleteResponse], error) {
	key := client.ObjectKey{Namespace: s.RequestedNamespace(request.Msg.GetNamespace()), Name: request.Msg.GetName()}
	var invalid violations.List
	invalid.CheckLabel("namespace", key.Namespace)
	checkName(&invalid, key.Name)
	if err := invalid.InvalidArgument(); err != nil {
		return nil, err
	}
	audit.SetName(ctx, key.Namespace, key.Name, "")
	if err := s.Authorize(ctx, "delete", resource, key); err != nil {
		return nil, err
	}
	existing := new(corev1.Service)
	err := s.APIReader.Get(ctx, key, existing)
	if err == nil && !s.owns(existing) {
		return nil, refused(connect.CodeFailedPrecondition, "name", "Service %q is not a name of this tms-server", key.Name)
	}
	if err == nil {
		err = s.Client.Delete(ctx, existing, client.Preconditions{UID: &existing.UID, ResourceVersion: &existing.ResourceVersion})
	}
	if client.IgnoreNotFound(err) != nil {
		return nil, apiServerError(ctx, err)
	}
	return connect.NewResponse(&tmsv1.LeaseNameServiceDeleteResponse{Found: err == nil}), nil
}

// List implements tmsv1connect.LeaseNameServiceHandler. It reads from the cache.
func (s *Service) List(ctx context.Context, request *connect.Request[tmsv1.LeaseNameServiceListRequest]) (*connect.Response[tmsv1.LeaseNameServiceListResponse], error) {
	var invalid violations.List
	namespace := s.ListedNamespace(request.Msg.GetNamespace(), &invalid)
	page := paging.Parse(request.Msg, &invalid)
	if err := invalid.InvalidArgument(); err != nil {
		return nil, err
	}
	for _, right := range [][2]string{{"list", resource}, {"get", "tritonleases"}} {
		if err := s.Authorize(ctx, right[0], right[1], client.ObjectKey{Namespace: namespace}); err != nil {
			return nil, err
		}
	}
	var all corev1.ServiceList
	err := s.Client.List(ctx, &all, client.InNamespace(namespace), client.MatchingLabels(s.labels()),
		client.HasLabels{v1alpha1.NamedLeaseLabel}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, apiServerError(ctx, err)
	}
	services := make([]*corev1.Service, len(all.Items))
	for i := range all.Items {
		services[i] = &all.Items[i] // belongs to the cache and must not be changed
	}
	response := new(tmsv1.LeaseNameServiceListResponse)
	services, response.NextPageToken = paging.Of(page, services)
	for _, service := range services {
		name, current := toProto(service), new(v1alpha1.TritonLease)
		err := s.Client.Get(ctx, client.ObjectKey{Namespace: name.GetNamespace(), Name: name.GetLeaseId()}, current)
		if client.IgnoreNotFound(err) != nil {
			return nil, apiServerError(ctx, err)
		}
		if err == nil {
			name.LeaseState, _ = lease.StateOf(current)
		}
		response.Names = append(response.Names, name)
	}
	return connect.NewResponse(response), nil
}

// apiServerError returns the error for the caller if the API server returns err.
func apiServerError(ctx context.Context, err error) error {
	if apierrors.IsConflict(err) {
		return connect.NewError(connect.CodeAborted, errors.New("other calls change the name at the same time; retry"))
	}
	return lease.APIServerError(ctx, err)
}
