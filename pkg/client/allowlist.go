package client

import (
	"context"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
)

// AppendToAllowlist lets leases have images of Triton, and returns those that they
// could not have before. Images that are there already are no error.
func (c *Client) AppendToAllowlist(ctx context.Context, images ...string) (added []string, err error) {
	answer, err := call(ctx, c, tmsv1connect.AllowlistServiceAppendProcedure, &tmsv1.AppendRequest{Images: images}, c.allowlist.Append)
	return answer.GetAdded(), err
}

// Allowlist returns all images of Triton that leases may have, the default first.
func (c *Client) Allowlist(ctx context.Context) ([]*tmsv1.AllowedImage, error) {
	answer, err := call(ctx, c, tmsv1connect.AllowlistServiceListProcedure, &tmsv1.AllowlistServiceListRequest{}, c.allowlist.List)
	return answer.GetImages(), err
}

// RemoveFromAllowlist no longer lets leases have images, and returns those that they
// could have before. Leases that have one go on with it. Images that are not there are
// no error; the code is FailedPrecondition for those of the administrator's values.
func (c *Client) RemoveFromAllowlist(ctx context.Context, images ...string) (removed []string, err error) {
	answer, err := call(ctx, c, tmsv1connect.AllowlistServiceRemoveProcedure, &tmsv1.RemoveRequest{Images: images}, c.allowlist.Remove)
	return answer.GetRemoved(), err
}
