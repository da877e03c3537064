package client

import (
	"context"
	"iter"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
)

// CreateName creates a name of a lease, or switches an existing name to the lease. If the
// name already points to the lease, it changes nothing. The code of the error is
// AlreadyExists if the name points to another lease and replace is not set, and
// FailedPrecondition if the lease does not serve and allow_not_serving is not set.
func (c *Client) CreateName(ctx context.Context, request *tmsv1.LeaseNameServiceCreateRequest) (*tmsv1.LeaseNameServiceCreateResponse, error) {
	return call(ctx, c, tmsv1connect.LeaseNameServiceCreateProcedure, request, c.names.Create)
}

// DeleteName deletes a name, and not its lease. Deleting a name that does not exist is not an
// error: the response reports whether it existed.
func (c *Client) DeleteName(ctx context.Context, request *tmsv1.LeaseNameServiceDeleteRequest) (*tmsv1.LeaseNameServiceDeleteResponse, error) {
	return call(ctx, c, tmsv1connect.LeaseNameServiceDeleteProcedure, request, c.names.Delete)
}

// Names iterates over the names in a namespace, or in all namespaces if it is "-", as List
// does over leases.
func (c *Client) Names(ctx context.Context, request *tmsv1.LeaseNameServiceListRequest) iter.Seq2[*tmsv1.LeaseName, error] {
	return pages(tmsv1connect.LeaseNameServiceListProcedure, request, func(page *tmsv1.LeaseNameServiceListRequest, token string) ([]*tmsv1.LeaseName, string, error) {
		page.PageToken = token
		response, err := call(ctx, c, tmsv1connect.LeaseNameServiceListProcedure, page, c.names.List)
		return response.GetNames(), response.GetNextPageToken(), err
	})
}
