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

// call calls a unary method, without retries.
func call[Q, A any](ctx context.Context, c *Client, procedure string, message *Q,
	method func(context.Context, *connect.Request[Q]) (*connect.Response[A], error),
) (*A, error) {
	r, err := request(ctx, c, message)
	if err != nil {
		return nil, wrap(procedure, err)
	}
	response, err := method(ctx, r)
	if err != nil {
		return nil, wrap(procedure, err)
	}
	return response.Msg, nil
}

// Release deletes a lease and everything that it deployed. Releasing a lease that does not
// exist is not an error: the response reports whether it existed.
func (c *Client) Release(ctx context.Context, request *tmsv1.ReleaseRequest) (*tmsv1.ReleaseResponse, error) {
	return call(ctx, c, tmsv1connect.LeaseServiceReleaseProcedure, request, c.leases.Release)
}

// Renew restarts the duration of a lease from now. A response without expires_at means that
// the lease does not expire. The code of the error is NotFound if the lease does not exist.
func (c *Client) Renew(ctx context.Context, request *tmsv1.RenewRequest) (*tmsv1.RenewResponse, error) {
	return call(ctx, c, tmsv1connect.LeaseServiceRenewProcedure, request, c.leases.Renew)
}

// Reload replaces the pods of a lease one after the other: the new ones load the models again.
// It does not wait for them. The code of the error is NotFound if the lease does not exist.
func (c *Client) Reload(ctx context.Context, request *tmsv1.ReloadRequest) (*tmsv1.ReloadResponse, error) {
	return call(ctx, c, tmsv1connect.LeaseServiceReloadProcedure, request, c.leases.Reload)
}

// Status returns a lease. The code of the error is NotFound if the lease does not exist.
func (c *Client) Status(ctx context.Context, request *tmsv1.StatusRequest) (*tmsv1.Lease, error) {
	response, err := call(ctx, c, tmsv1connect.LeaseServiceStatusProcedure, request, c.leases.Status)
	if err != nil {
		return nil, err
	}
	if response.GetLease() == nil {
		return nil, wrap(tmsv1connect.LeaseServiceStatusProcedure, connect.NewError(connect.CodeInternal, errors.New("the response has no lease")))
	}
	return response.GetLease(), nil
}

// Quota returns the GPU budget of a namespace, or of all namespaces if it is "-", and what
// the leases use of it.
func (c *Client) Quota(ctx context.Context, request *tmsv1.QuotaRequest) (*tmsv1.QuotaResponse, error) {
	return call(ctx, c, tmsv1connect.LeaseServiceQuotaProcedure, request, c.leases.Quota)
}

// List iterates over the leases of a namespace, or of all namespaces if it is "-", sorted
// by namespace and id. It begins at page_token, and requests pages of page_size leases
// as it reaches them. An error has a nil lease and ends the iteration. Each iteration
// calls the server again.
func (c *Client) List(ctx context.Context, request *tmsv1.ListRequest) iter.Seq2[*tmsv1.Lease, error] {
	return pages(tmsv1connect.LeaseServiceListProcedure, request, func(page *tmsv1.ListRequest, token string) ([]*tmsv1.Lease, string, error) {
		page.PageToken = token
		response, err := call(ctx, c, tmsv1connect.LeaseServiceListProcedure, page, c.leases.List)
		return response.GetLeases(), response.GetNextPageToken(), err
	})
}

// pages iterates over the items of all pages. list requests one page with a copy of the
// request, and returns the token of the next page.
func pages[Q, T any, R interface {
	*Q
	proto.Message
	GetPageToken() string
}](procedure string, request R, list func(page R, token string) ([]*T, string, error)) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		page := R(new(Q))
		if request != nil {
			page = proto.CloneOf(request)
		}
		for token := page.GetPageToken(); ; {
			items, next, err := list(page, token)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			switch next {
			case "":
				return
			case token: // would never end
				yield(nil, wrap(procedure, connect.NewError(connect.CodeInternal, errors.New("the next page is the same page"))))
				return
			}
			token = next
		}
	}
}
