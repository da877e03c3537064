package faketms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// maxReplicas is the largest number of replicas that the server grants.
const maxReplicas = 10

// createdAt is when the server creates all leases.
var createdAt = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)

// Acquire implements tmsv1connect.LeaseServiceHandler. It sends three responses.
func (s *Server) Acquire(ctx context.Context, r *connect.Request[tmsv1.AcquireRequest], stream *connect.ServerStream[tmsv1.AcquireResponse]) error {
	if err := s.record("Acquire", r.Msg, r.Header()); err != nil {
		return err
	}
	lease, breaks, holding := s.acquire(r.Msg)
	progress := &tmsv1.Lease{Namespace: lease.Namespace, Id: lease.Id, State: tmsv1.State_STATE_PENDING}
	if err := stream.Send(&tmsv1.AcquireResponse{Lease: progress}); err != nil {
		return err
	}
	if breaks {
		panic(http.ErrAbortHandler)
	}
	if !r.Msg.NoWait {
		progress.State, progress.Message = tmsv1.State_STATE_STARTING, "0 of 1 replicas serve"
		if err := stream.Send(&tmsv1.AcquireResponse{Lease: progress}); err != nil {
			return err
		}
	}
	if holding {
		s.held <- struct{}{}
		<-ctx.Done()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.remove(lease.Id)
		}
		return ctx.Err()
	}
	return stream.Send(&tmsv1.AcquireResponse{Lease: lease, Complete: true})
}

// acquire returns the lease of a request: the same lease for the same request id.
func (s *Server) acquire(request *tmsv1.AcquireRequest) (lease *tmsv1.Lease, breaks, holding bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if breaks = s.breaks > 0; breaks {
		s.breaks--
	}
	if id := s.requests[request.RequestId]; request.RequestId != "" && id != "" {
		return s.find("", id), breaks, s.holding
	}
	s.created++
	lease = grant(request, cmp.Or(request.Name, fmt.Sprintf("lease-%d", s.created)))
	s.leases = append(s.leases, lease)
	s.requests[request.RequestId] = lease.Id
	return lease, breaks, s.holding
}

// grant returns a lease that serves what a request asks for.
func grant(request *tmsv1.AcquireRequest, id string) *tmsv1.Lease {
	namespace := cmp.Or(request.Namespace, "default")
	lease := &tmsv1.Lease{
		Namespace: namespace, Id: id, State: tmsv1.State_STATE_SERVING, Message: "1 of 1 replicas serve",
		Replicas:  &tmsv1.Replicas{Current: 1, Ready: 1, Wanted: 1},
		Granted:   &tmsv1.Grant{Duration: durationpb.New(24 * time.Hour), AutoRenew: request.Spec.GetAutoRenew()},
		Address:   "tms-" + id + "." + namespace + ".svc",
		CreatedAt: timestamppb.New(createdAt),
	}
	if request.NoWait {
		lease.State, lease.Message, lease.Replicas = tmsv1.State_STATE_STARTING, "0 of 1 replicas serve", &tmsv1.Replicas{Current: 1, Wanted: 1}
	}
	if duration := request.Spec.GetDuration(); duration != nil {
		lease.Granted.Duration = duration
	}
	if duration := lease.Granted.Duration.AsDuration(); duration > 0 {
		lease.ExpiresAt = timestamppb.New(createdAt.Add(duration))
	}
	for _, model := range request.Spec.GetModels() {
		lease.Models = append(lease.Models, &tmsv1.ModelStatus{Model: model, State: tmsv1.ModelState_MODEL_STATE_READY})
	}
	if scaling := request.Spec.GetAutoscaling(); scaling != nil {
		scale(lease.Granted, scaling)
		if len(scaling.GetSchedule()) > 0 {
			lease.Schedule = &tmsv1.ScheduleState{Since: timestamppb.New(createdAt), NextTime: timestamppb.New(createdAt.Add(time.Hour))}
		}
	}
	return lease
}

func scale(granted *tmsv1.Grant, autoscaling *tmsv1.Autoscaling) {
	granted.Autoscaled, granted.MinReplicas, granted.MaxReplicas = true, max(autoscaling.GetMinReplicas(), 1), 5
	if autoscaling.MaxReplicas != nil {
		granted.MaxReplicas = min(*autoscaling.MaxReplicas, maxReplicas)
	}
	if autoscaling.GetMaxReplicas() > maxReplicas {
		const field, limit = "spec.autoscaling.max_replicas", "server.autoscaling.replicas.limits.maximum"
		granted.Adjustments = append(granted.Adjustments, &tmsv1.Adjustment{
			Field: field, Asked: autoscaling.GetMaxReplicas(), Granted: maxReplicas, Limit: limit,
			Message: fmt.Sprintf("%s: asked %d, granted %d (%s)", field, autoscaling.GetMaxReplicas(), maxReplicas, limit),
		})
	}
	granted.Schedule = autoscaling.Schedule
	for _, metric := range autoscaling.Metrics {
		threshold := metric.GetThreshold()
		if threshold == 0 {
			threshold = 80
		}
		granted.Metrics = append(granted.Metrics, &tmsv1.MetricGrant{Metric: metric.Metric, Threshold: threshold})
	}
}
