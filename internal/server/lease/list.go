package lease

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/server/problem"
)

const (
	// everywhere stands for all namespaces.
	everywhere  = "-"
	usualPage   = 100
	largestPage = 500
)

// List implements tmsv1connect.LeaseServiceHandler. A page goes on after the last
// lease of the one before, whatever was made or released meanwhile.
func (s *Service) List(ctx context.Context, request *connect.Request[tmsv1.ListRequest]) (*connect.Response[tmsv1.ListResponse], error) {
	namespace, after, size, err := s.page(request.Msg)
	if err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, "list", client.ObjectKey{Namespace: namespace}); err != nil {
		return nil, err
	}
	var all v1alpha1.TritonLeaseList
	if err := s.Client.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, failed(ctx, err)
	}
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
		response.NextPageToken = tokenAfter(client.ObjectKeyFromObject(leases[size-1]))
	}
	for _, lease := range leases {
		response.Leases = append(response.Leases, answer(lease))
	}
	return connect.NewResponse(response), nil
}

// page returns what a request asks for. The namespace is empty for all of them.
func (s *Service) page(request *tmsv1.ListRequest) (namespace string, after *client.ObjectKey, size int, err error) {
	var wrong problem.Violations
	namespace, size = s.namespace(request.GetNamespace()), int(request.GetPageSize())
	if namespace == everywhere {
		namespace = ""
	} else {
		wrong.Label("namespace", namespace)
	}
	if size < 0 || size > largestPage {
		wrong.Add("page_size", "%d must be between 1 and %d, or 0 for %d", size, largestPage, usualPage)
	}
	if size == 0 {
		size = usualPage
	}
	if token := request.GetPageToken(); token != "" {
		text, decodeErr := base64.RawURLEncoding.DecodeString(token)
		name, lease, whole := strings.Cut(string(text), "/")
		if decodeErr != nil || !whole {
			wrong.Add("page_token", "must be the next_page_token of an answer")
		}
		after = &client.ObjectKey{Namespace: name, Name: lease}
	}
	return namespace, after, size, wrong.Err()
}

func tokenAfter(lease client.ObjectKey) string {
	return base64.RawURLEncoding.EncodeToString([]byte(lease.String()))
}

func compare(a, b client.ObjectKey) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}
