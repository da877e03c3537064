package client

import (
	"context"
	"errors"
	"iter"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
)

// call makes one call that has one answer. It is not tried again.
func call[Q, A any](ctx context.Context, c *Client, procedure string, message *Q,
	method func(context.Context, *connect.Request[Q]) (*connect.Response[A], error),
) (*A, error) {
	r, err := request(ctx, c, message)
	if err != nil {
		return nil, failure(procedure, err)
	}
	answer, err := method(ctx, r)
	if err != nil {
		return nil, failure(procedure, err)
	}
	return answer.Msg, nil
}

// Release deletes a lease and all that it consists of. A lease that is not there is
// no error, so that it can be tried again.
func (c *Client) Release(ctx context.Context, request *tmsv1.ReleaseRequest) error {
	_, err := call(ctx, c, tmsv1connect.LeaseServiceReleaseProcedure, request, c.leases.Release)
	return err
}

// Renew has the duration of a lease count from now, and returns when it ends then:
// nothing in expires_at is never. The code is NotFound where the lease is not there.
func (c *Client) Renew(ctx context.Context, request *tmsv1.RenewRequest) (*tmsv1.RenewResponse, error) {
	return call(ctx, c, tmsv1connect.LeaseServiceRenewProcedure, request, c.leases.Renew)
}

// Status returns a lease as it is. The code is NotFound where it is not there.
func (c *Client) Status(ctx context.Context, request *tmsv1.StatusRequest) (*tmsv1.Lease, error) {
	answer, err := call(ctx, c, tmsv1connect.LeaseServiceStatusProcedure, request, c.leases.Status)
	if err != nil {
		return nil, err
	}
	if answer.GetLease() == nil {
		return nil, failure(tmsv1connect.LeaseServiceStatusProcedure, connect.NewError(connect.CodeInternal, errors.New("the answer has no lease")))
	}
	return answer.GetLease(), nil
}

// List goes through all leases of a namespace, or of all namespaces where that is -,
// by namespace and id. It fetches a page when it gets there: page_size leases each,
// from page_token on. After an error, which comes with no lease, there is nothing
// more. It can be gone through several times, and asks the server each time.
func (c *Client) List(ctx context.Context, request *tmsv1.ListRequest) iter.Seq2[*tmsv1.Lease, error] {
	return func(yield func(*tmsv1.Lease, error) bool) {
		page := proto.CloneOf(request)
		if page == nil {
			page = new(tmsv1.ListRequest)
		}
		for {
			answer, err := call(ctx, c, tmsv1connect.LeaseServiceListProcedure, page, c.leases.List)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, lease := range answer.GetLeases() {
				if !yield(lease, nil) {
					return
				}
			}
			switch next := answer.GetNextPageToken(); next {
			case "":
				return
			case page.GetPageToken(): // would go on for ever
				yield(nil, failure(tmsv1connect.LeaseServiceListProcedure, connect.NewError(connect.CodeInternal, errors.New("the page after this one is this one"))))
				return
			default:
				page.PageToken = next
			}
		}
	}
}
