package lease

import (
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/api/v1alpha1"
)

// toProto returns the message of the API for a lease, with the paths of requests.
func toProto(lease *v1alpha1.TritonLease) *tmsv1.Lease {
	status := lease.Status
	refusals := refusalsToProto(status.Refusals)
	state, message := stateOf(lease, refusals)
	result := &tmsv1.Lease{
		Namespace: lease.Namespace, Id: lease.Name, State: state, Message: message,
		Address:   status.Address,
		CreatedAt: timestamppb.New(lease.CreationTimestamp.Time),
		Replicas:  &tmsv1.Replicas{Current: status.Replicas, Ready: status.ReadyReplicas, Wanted: status.WantedReplicas, Updated: status.UpdatedReplicas},
		Granted:   grantToProto(status.Granted),
		Refusals:  refusals,
	}
	if limits := status.Limits; limits != nil {
		result.Limits = &tmsv1.Limits{Replicas: limits.Replicas, Gpus: limits.GPUs, Cpus: limits.CPU, Memory: limits.Memory}
	}
	if shown := status.Budget; shown != nil {
		result.Budget = &tmsv1.Budget{Gpus: shown.GPUs, Charged: shown.Charged, Used: shown.Used}
	}
	if shown := status.Schedule; shown != nil {
		result.Schedule = &tmsv1.ScheduleState{Active: shown.Active, Since: timestamppb.New(shown.Since.Time), NextTime: timestamppb.New(shown.NextTime.Time)}
	}
	for _, model := range lease.Spec.Models {
		shown := &tmsv1.ModelStatus{Model: &tmsv1.Model{Name: model.Name, Uri: model.URI}, State: modelState(state, status.Replicas)}
		for _, known := range status.ModelStates {
			if known.Name == model.Name && state != tmsv1.State_STATE_SERVING {
				shown.State, shown.Message = tmsv1.ModelState(tmsv1.ModelState_value["MODEL_STATE_"+strings.ToUpper(known.State)]), known.Message
			}
		}
		result.Models = append(result.Models, shown)
	}
	if status.ReloadedAt != nil {
		result.ReloadedAt = timestamppb.New(status.ReloadedAt.Time)
	}
	if status.ExpiresAt != nil {
		result.ExpiresAt = timestamppb.New(status.ExpiresAt.Time)
	}
	return result
}

// StateOf returns the state of a lease and a sentence about it, as Status returns them.
func StateOf(lease *v1alpha1.TritonLease) (tmsv1.State, string) {
	return stateOf(lease, refusalsToProto(lease.Status.Refusals))
}

// stateOf returns the state of a lease and a sentence about it. A lease that serves stays
// SERVING while a change of it is refused.
func stateOf(lease *v1alpha1.TritonLease, refusals []*tmsv1.Refusal) (tmsv1.State, string) {
	granted := meta.FindStatusCondition(lease.Status.Conditions, v1alpha1.ConditionGranted)
	ready := meta.FindStatusCondition(lease.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case !lease.DeletionTimestamp.IsZero():
		return tmsv1.State_STATE_RELEASED, "the lease is being deleted"
	case granted == nil || ready == nil:
		return tmsv1.State_STATE_PENDING, "the lease is not reconciled yet"
	case ready.Status == metav1.ConditionTrue:
		return tmsv1.State_STATE_SERVING, ready.Message
	case granted.Status == metav1.ConditionFalse && len(refusals) > 0:
		return tmsv1.State_STATE_REFUSED, refusalMessage(refusals)
	case granted.Status == metav1.ConditionFalse:
		return tmsv1.State_STATE_REFUSED, granted.Message
	case ready.Reason == "Failed" || ready.Reason == "Conflict":
		return tmsv1.State_STATE_FAILED, ready.Message
	default:
		return tmsv1.State_STATE_STARTING, ready.Message
	}
}

func modelState(state tmsv1.State, replicas int32) tmsv1.ModelState {
	switch {
	case state == tmsv1.State_STATE_SERVING:
		return tmsv1.ModelState_MODEL_STATE_READY
	case state == tmsv1.State_STATE_FAILED:
		return tmsv1.ModelState_MODEL_STATE_FAILED
	case replicas > 0:
		return tmsv1.ModelState_MODEL_STATE_LOADING
	default:
		return tmsv1.ModelState_MODEL_STATE_PENDING
	}
}

func refusalsToProto(refusals []v1alpha1.Refusal) []*tmsv1.Refusal {
	var result []*tmsv1.Refusal
	for _, refusal := range refusals {
		result = append(result, &tmsv1.Refusal{Field: requestPath(refusal.Field), Reason: refusal.Reason, Message: refusal.Message})
	}
	return result
}

// refusalMessage has one line for each refusal.
func refusalMessage(refusals []*tmsv1.Refusal) string {
	lines := make([]string, len(refusals))
	for i, refusal := range refusals {
		lines[i] = refusal.GetField() + ": " + refusal.GetMessage()
	}
	return strings.Join(lines, "\n")
}

func grantToProto(granted *v1alpha1.Granted) *tmsv1.Grant {
	if granted == nil {
		return nil
	}
	result := &tmsv1.Grant{
		Autoscaled: granted.Autoscaled, MinReplicas: granted.MinReplicas, MaxReplicas: granted.MaxReplicas,
		Replicas: granted.Replicas, Gpus: granted.GPUs,
		Duration: durationpb.New(granted.Duration.Value()), AutoRenew: granted.AutoRenew,
	}
	for _, entry := range granted.Schedule {
		result.Schedule = append(result.Schedule, &tmsv1.ScheduledReplicas{
			Cron: entry.Cron, TimeZone: entry.TimeZone, Minimum: new(entry.MinReplicas), Maximum: new(entry.MaxReplicas),
		})
	}
	for _, metric := range granted.Metrics {
		result.Metrics = append(result.Metrics, &tmsv1.MetricGrant{Metric: string(metric.Metric), Threshold: metric.Threshold})
	}
	for _, adjustment := range granted.Adjustments {
		adjustment.Field, adjustment.Limit = requestPath(adjustment.Field), requestPath(adjustment.Limit)
		result.Adjustments = append(result.Adjustments, &tmsv1.Adjustment{
			Field: adjustment.Field, Asked: adjustment.Asked, IsDefault: adjustment.Default, Granted: adjustment.Granted,
			Unit: adjustment.Unit, Limit: adjustment.Limit, Message: adjustment.String(),
		})
	}
	for _, warning := range granted.Warnings {
		result.Warnings = append(result.Warnings, &tmsv1.Warning{Field: requestPath(warning.Field), Message: warning.Message})
	}
	return result
}
