package faketms

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// names implements tmsv1connect.LeaseNameServiceHandler.
type names struct{ *Server }

// Create implements tmsv1connect.LeaseNameServiceHandler.
func (n names) Create(_ context.Context, r *connect.Request[tmsv1.LeaseNameServiceCreateRequest]) (*connect.Response[tmsv1.LeaseNameServiceCreateResponse], error) {
	if err := n.record("NameCreate", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	namespace := cmp.Or(r.Msg.Namespace, "default")
	lease := n.find(namespace, r.Msg.LeaseId)
	if lease == nil {
		return nil, notFound(r.Msg.LeaseId)
	}
	name, response := n.named(namespace, r.Msg.Name), new(tmsv1.LeaseNameServiceCreateResponse)
	if name == nil {
		name = &tmsv1.LeaseName{Namespace: namespace, Name: r.Msg.Name, Address: r.Msg.Name + "." + namespace + ".svc", CreatedAt: timestamppb.New(createdAt)}
		n.names = append(n.names, name)
	} else if name.LeaseId != r.Msg.LeaseId {
		if !r.Msg.Replace {
			return nil, connect.NewError(connect.CodeAlreadyExists, fmt.Errorf("name %s points to lease %s", name.Name, name.LeaseId))
		}
		response.ReplacedLeaseId = name.LeaseId
	}
	name.LeaseId, name.LeaseState = lease.Id, lease.State
	response.Name = name
	return connect.NewResponse(response), nil
}

// named returns a name, and nil if it does not exist.
func (n names) named(namespace, name string) *tmsv1.LeaseName {
	i := slices.IndexFunc(n.names, func(other *tmsv1.LeaseName) bool { return other.Namespace == namespace && other.Name == name })
	if i < 0 {
		return nil
	}
	return n.names[i]
}

// Delete implements tmsv1connect.LeaseNameServiceHandler.
func (n names) Delete(_ context.Context, r *connect.Request[tmsv1.LeaseNameServiceDeleteRequest]) (*connect.Response[tmsv1.LeaseNameServiceDeleteResponse], error) {
	if err := n.record("NameDelete", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	name := n.named(cmp.Or(r.Msg.Namespace, "default"), r.Msg.Name)
	n.names = slices.DeleteFunc(n.names, func(other *tmsv1.LeaseName) bool { return other == name })
	return connect.NewResponse(&tmsv1.LeaseNameServiceDeleteResponse{Found: name != nil}), nil
}

// List implements tmsv1connect.LeaseNameServiceHandler. Each page has one name, and its token
// is the index of the name.
func (n names) List(_ context.Context, r *connect.Request[tmsv1.LeaseNameServiceListRequest]) (*connect.Response[tmsv1.LeaseNameServiceListResponse], error) {
	if err := n.record("NameList", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	namespace, response := cmp.Or(r.Msg.Namespace, "default"), new(tmsv1.LeaseNameServiceListResponse)
	begin, _ := strconv.Atoi(r.Msg.PageToken)
	for i, name := range n.names {
		if namespace != "-" && name.Namespace != namespace || i < begin {
			continue
		}
		if len(response.Names) > 0 {
			response.NextPageToken = strconv.Itoa(i)
			break
		}
		name.LeaseState = n.find(name.Namespace, name.LeaseId).GetState()
		response.Names = append(response.Names, name)
	}
	return connect.NewResponse(response), nil
}
