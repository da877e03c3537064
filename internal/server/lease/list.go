package lease

import (
	"context"

	"connectrpc.com/connect"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/server/paging"
	"github.com/triton-leases/tms/internal/server/violations"
)

// List implements tmsv1connect.LeaseServiceHandler.
func (s *Service) List(ctx context.Context, request *connect.Request[tmsv1.ListRequest]) (*connect.Response[tmsv1.ListResponse], error) {
	var invalid violations.List
	namespace := s.ListedNamespace(request.Msg.GetNamespace(), &invalid)
	page := paging.Parse(request.Msg, &invalid)
	if err := invalid.InvalidArgument(); err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, "list", client.ObjectKey{Namespace: namespace}); err != nil {
		return nil, err
	}
	var all v1alpha1.TritonLeaseList
	if err := s.Client.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, APIServerError(ctx, err)
	}
	leases := make([]*v1alpha1.TritonLease, len(all.Items))
	for i := range all.Items {
		leases[i] = &all.Items[i] // belongs to the cache and must not be changed
	}
	response := new(tmsv1.ListResponse)
	leases, response.NextPageToken = paging.Of(page, leases)
	for _, lease := range leases {
		response.Leases = append(response.Leases, toProto(lease))
	}
	return connect.NewResponse(response), nil
}

// ListedNamespace returns the namespace of a request that lists, and an empty text for all
// namespaces. It adds a namespace that is not a DNS label to invalid.
func (c *Config) ListedNamespace(requested string, invalid *violations.List) string {
	namespace := c.RequestedNamespace(requested)
	if namespace == paging.AllNamespaces {
		return ""
	}
	invalid.CheckLabel("namespace", namespace)
	return namespace
}
