package lease

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/server/violations"
)

const (
	// allNamespaces stands for all namespaces in a request.
	allNamespaces   = "-"
	defaultPageSize = 100
	maxPageSize     = 500
)

// List implements tmsv1connect.LeaseServiceHandler. A page continues after the last
// lease of the previous page, so that leases that come or go in between do not matter.
func (s *Service) List(ctx context.Context, request *connect.Request[tmsv1.ListRequest]) (*connect.Response[tmsv1.ListResponse], error) {
	namespace, after, size, err := s.parseList(request.Msg)
	if err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, "list", client.ObjectKey{Namespace: namespace}); err != nil {
		return nil, err
	}
	var all v1alpha1.TritonLeaseList
	if err := s.Client.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, apiServerError(ctx, err)
	}
	// The leases belong to the cache and must not be changed.
	leases := make([]*v1alpha1.TritonLease, 0, len(all.Items))
	for i := range all.Items {
		if lease := &all.Items[i]; after == nil || compare(client.ObjectKeyFromObject(lease), *after) > 0 {
			leases = append(leases, lease)
		}
	}
	slices.SortFunc(leases, func(a, b *v1alpha1.TritonLease) int {
		return compare(client.ObjectKeyFromObject(a), client.ObjectKeyFromObject(b))
	})
	response := new(tmsv1.ListResponse)
	if len(leases) > size {
		leases = leases[:size]
		response.NextPageToken = pageToken(client.ObjectKeyFromObject(leases[size-1]))
	}
	for _, lease := range leases {
		response.Leases = append(response.Leases, toProto(lease))
	}
	return connect.NewResponse(response), nil
}

// parseList checks a request. The namespace is empty for all namespaces, and after is
// nil for the first page.
func (s *Service) parseList(request *tmsv1.ListRequest) (namespace string, after *client.ObjectKey, size int, err error) {
	var invalid violations.List
	namespace, size = s.namespace(request.GetNamespace()), int(request.GetPageSize())
	if namespace == allNamespaces {
		namespace = ""
	} else {
		invalid.CheckLabel("namespace", namespace)
	}
	if size < 0 || size > maxPageSize {
		invalid.Add("page_size", fmt.Sprintf("%d must be between 1 and %d, or 0 for %d", size, maxPageSize, defaultPageSize))
	}
	if size == 0 {
		size = defaultPageSize
	}
	if token := request.GetPageToken(); token != "" {
		text, decodeErr := base64.RawURLEncoding.DecodeString(token)
		namespace, name, ok := strings.Cut(string(text), "/")
		if decodeErr != nil || !ok {
			invalid.Add("page_token", "must be the next_page_token of a response")
		}
		after = &client.ObjectKey{Namespace: namespace, Name: name}
	}
	return namespace, after, size, invalid.InvalidArgument()
}

// pageToken returns the token of the page after a lease.
func pageToken(lease client.ObjectKey) string {
	return base64.RawURLEncoding.EncodeToString([]byte(lease.String()))
}

func compare(a, b client.ObjectKey) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}
