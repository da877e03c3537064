package client

import (
	"context"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/tms/v1/tmsv1connect"
)

// AppendToAllowlist adds Triton images to those that leases may use, and returns the
// images that were not in the list before.
func (c *Client) AppendToAllowlist(ctx context.Context, images ...string) (added []string, err error) {
	response, err := call(ctx, c, tmsv1connect.AllowlistServiceAppendProcedure, &tmsv1.AppendRequest{Images: images}, c.allowlist.Append)
	return response.GetAdded(), err
}

// Allowlist returns all Triton images that leases may use, the default first.
func (c *Client) Allowlist(ctx context.Context) ([]*tmsv1.AllowedImage, error) {
	response, err := call(ctx, c, tmsv1connect.AllowlistServiceListProcedure, &tmsv1.AllowlistServiceListRequest{}, c.allowlist.List)
	return response.GetImages(), err
}

// RemoveFromAllowlist removes Triton images from those that leases may use, and returns
// the images that were in the list before. Leases that use a removed image keep running.
// The code of the error is FailedPrecondition for an image of the administrator's values.
func (c *Client) RemoveFromAllowlist(ctx context.Context, images ...string) (removed []string, err error) {
	response, err := call(ctx, c, tmsv1connect.AllowlistServiceRemoveProcedure, &tmsv1.RemoveRequest{Images: images}, c.allowlist.Remove)
	return response.GetRemoved(), err
}
