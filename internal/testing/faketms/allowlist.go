package faketms

import (
	"context"
	"slices"

	"connectrpc.com/connect"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// defaultImage is the image of the administrator's values.
const defaultImage = "tritonserver:26.10-py3"

// allowlist implements tmsv1connect.AllowlistServiceHandler. Its List has the same name as
// that of LeaseService, so that it needs a type of its own.
type allowlist struct{ *Server }

// Append implements tmsv1connect.AllowlistServiceHandler.
func (a allowlist) Append(_ context.Context, r *connect.Request[tmsv1.AppendRequest]) (*connect.Response[tmsv1.AppendResponse], error) {
	if err := a.record("Append", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	response := new(tmsv1.AppendResponse)
	for _, image := range r.Msg.Images {
		if !slices.Contains(a.images, image) {
			a.images = append(a.images, image)
			response.Added = append(response.Added, image)
		}
	}
	return connect.NewResponse(response), nil
}

// List implements tmsv1connect.AllowlistServiceHandler.
func (a allowlist) List(_ context.Context, r *connect.Request[tmsv1.AllowlistServiceListRequest]) (*connect.Response[tmsv1.AllowlistServiceListResponse], error) {
	if err := a.record("AllowlistList", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	response := &tmsv1.AllowlistServiceListResponse{Images: []*tmsv1.AllowedImage{{Image: defaultImage, InValues: true}}}
	for _, image := range a.images {
		response.Images = append(response.Images, &tmsv1.AllowedImage{Image: image})
	}
	return connect.NewResponse(response), nil
}

// Remove implements tmsv1connect.AllowlistServiceHandler.
func (a allowlist) Remove(_ context.Context, r *connect.Request[tmsv1.RemoveRequest]) (*connect.Response[tmsv1.RemoveResponse], error) {
	if err := a.record("Remove", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	response := new(tmsv1.RemoveResponse)
	for _, image := range r.Msg.Images {
		if i := slices.Index(a.images, image); i >= 0 {
			a.images = slices.Delete(a.images, i, i+1)
			response.Removed = append(response.Removed, image)
		}
	}
	return connect.NewResponse(response), nil
}
