package faketms

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// find returns a lease, and nil if it does not exist.
func (s *Server) find(namespace, id string) *tmsv1.Lease {
	for _, lease := range s.leases {
		if lease.Id == id && (namespace == "" || namespace == lease.Namespace) {
			return lease
		}
	}
	return nil
}

func notFound(id string) error {
	return connect.NewError(connect.CodeNotFound, errors.New("lease "+id+" does not exist"))
}

// Release implements tmsv1connect.LeaseServiceHandler.
func (s *Server) Release(ctx context.Context, r *connect.Request[tmsv1.ReleaseRequest]) (*connect.Response[tmsv1.ReleaseResponse], error) {
	if err := s.record("Release", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	stalling := s.stalling
	s.mu.Unlock()
	if stalling {
		s.held <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return connect.NewResponse(&tmsv1.ReleaseResponse{Found: s.remove(r.Msg.Id)}), nil
}

// remove removes a lease, and reports whether it existed.
func (s *Server) remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.leases)
	s.leases = slices.DeleteFunc(s.leases, func(lease *tmsv1.Lease) bool { return lease.Id == id })
	return len(s.leases) < before
}

// Renew implements tmsv1connect.LeaseServiceHandler. The lease expires two durations after
// its creation.
func (s *Server) Renew(_ context.Context, r *connect.Request[tmsv1.RenewRequest]) (*connect.Response[tmsv1.RenewResponse], error) {
	if err := s.record("Renew", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lease := s.find(r.Msg.Namespace, r.Msg.Id)
	if lease == nil {
		return nil, notFound(r.Msg.Id)
	}
	if duration := lease.Granted.GetDuration().AsDuration(); duration > 0 {
		lease.ExpiresAt = timestamppb.New(createdAt.Add(2 * duration))
	}
	return connect.NewResponse(&tmsv1.RenewResponse{ExpiresAt: lease.ExpiresAt}), nil
}

// Reload implements tmsv1connect.LeaseServiceHandler. The reload begins with the next Status,
// and is complete with the one after it.
func (s *Server) Reload(_ context.Context, r *connect.Request[tmsv1.ReloadRequest]) (*connect.Response[tmsv1.ReloadResponse], error) {
	if err := s.record("Reload", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lease := s.find(r.Msg.Namespace, r.Msg.Id)
	if lease == nil {
		return nil, notFound(r.Msg.Id)
	}
	at := timestamppb.New(createdAt.Add(time.Hour))
	lease.ReloadedAt, lease.Replicas.Updated = at, 0
	return connect.NewResponse(&tmsv1.ReloadResponse{ReloadTime: at}), nil
}

// Status implements tmsv1connect.LeaseServiceHandler.
func (s *Server) Status(_ context.Context, r *connect.Request[tmsv1.StatusRequest]) (*connect.Response[tmsv1.StatusResponse], error) {
	if err := s.record("Status", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lease := s.find(r.Msg.Namespace, r.Msg.Id)
	if lease == nil {
		return nil, notFound(r.Msg.Id)
	}
	shown := proto.CloneOf(lease)
	if lease.GetReloadedAt() != nil {
		lease.Replicas.Updated = lease.GetReplicas().GetWanted()
	}
	return connect.NewResponse(&tmsv1.StatusResponse{Lease: shown}), nil
}

// List implements tmsv1connect.LeaseServiceHandler. A page token is the index of the next
// lease.
func (s *Server) List(_ context.Context, r *connect.Request[tmsv1.ListRequest]) (*connect.Response[tmsv1.ListResponse], error) {
	if err := s.record("List", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	namespace := cmp.Or(r.Msg.Namespace, "default")
	var leases []*tmsv1.Lease
	for _, lease := range s.leases {
		if namespace == "-" || namespace == lease.Namespace {
			leases = append(leases, lease)
		}
	}
	slices.SortFunc(leases, func(a, b *tmsv1.Lease) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Id, b.Id))
	})
	begin, _ := strconv.Atoi(r.Msg.PageToken)
	end := begin + cmp.Or(int(r.Msg.PageSize), 100)
	response := &tmsv1.ListResponse{Leases: leases[min(begin, len(leases)):min(end, len(leases))]}
	if end < len(leases) {
		response.NextPageToken = strconv.Itoa(end)
	}
	if s.loopPages {
		response.Leases, response.NextPageToken = leases, "again"
	}
	return connect.NewResponse(response), nil
}

// Quota implements tmsv1connect.LeaseServiceHandler. The budget of each namespace with
// leases is 16 GPUs.
func (s *Server) Quota(_ context.Context, r *connect.Request[tmsv1.QuotaRequest]) (*connect.Response[tmsv1.QuotaResponse], error) {
	if err := s.record("Quota", r.Msg, r.Header()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	const budget = 16
	response := new(tmsv1.QuotaResponse)
	for _, lease := range s.leases {
		if r.Msg.Namespace != "-" && lease.Namespace != cmp.Or(r.Msg.Namespace, "default") || lease.Budget == nil {
			continue
		}
		i := slices.IndexFunc(response.Namespaces, func(q *tmsv1.NamespaceQuota) bool { return q.Namespace == lease.Namespace })
		if i < 0 {
			i = len(response.Namespaces)
			response.Namespaces = append(response.Namespaces, &tmsv1.NamespaceQuota{Namespace: lease.Namespace, Gpus: budget, Left: budget})
		}
		quota := response.Namespaces[i]
		quota.Used, quota.Left = quota.Used+lease.Budget.Charged, quota.Left-lease.Budget.Charged
		quota.Charges = append(quota.Charges, &tmsv1.Charge{Id: lease.Id, Charged: lease.Budget.Charged, CreatedAt: lease.CreatedAt})
	}
	return connect.NewResponse(response), nil
}
