package faketms

import (
	"context"
	"slices"

	"connectrpc.com/connect"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// defaultImage is that of the administrator's values.
const defaultImage = "tritonserver:26.10-py3"

// allowlist are the methods of the server that have the names of others.
type allowlist struct{ *Server }

// Append adds images.
func (a allowlist) Append(_ context.Context, r *connect.Request[tmsv1.AppendRequest]) (*connect.Response[tmsv1.AppendResponse], error) {
	if err := a.came("Append", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := new(tmsv1.AppendResponse)
	for _, image := range r.Msg.Images {
		if !slices.Contains(a.images, image) {
			a.images = append(a.images, image)
			answer.Added = append(answer.Added, image)
		}
	}
	return connect.NewResponse(answer), nil
}

// List tells of all images.
func (a allowlist) List(_ context.Context, r *connect.Request[tmsv1.AllowlistServiceListRequest]) (*connect.Response[tmsv1.AllowlistServiceListResponse], error) {
	if err := a.came("AllowlistList", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := &tmsv1.AllowlistServiceListResponse{Images: []*tmsv1.AllowedImage{{Image: defaultImage, InValues: true}}}
	for _, image := range a.images {
		answer.Images = append(answer.Images, &tmsv1.AllowedImage{Image: image})
	}
	return connect.NewResponse(answer), nil
}

// Remove removes images.
func (a allowlist) Remove(_ context.Context, r *connect.Request[tmsv1.RemoveRequest]) (*connect.Response[tmsv1.RemoveResponse], error) {
	if err := a.came("Remove", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := new(tmsv1.RemoveResponse)
	for _, image := range r.Msg.Images {
		if i := slices.Index(a.images, image); i >= 0 {
			a.images = slices.Delete(a.images, i, i+1)
			answer.Removed = append(answer.Removed, image)
		}
	}
	return connect.NewResponse(answer), nil
}
