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

// answer tells of a lease as it is.
func answer(lease *v1alpha1.TritonLease) *tmsv1.Lease {
	state, message := stateOf(lease)
	told := &tmsv1.Lease{
		Namespace: lease.Namespace, Id: lease.Name, State: state, Message: message,
		Address:   lease.Status.Address,
		CreatedAt: timestamppb.New(lease.CreationTimestamp.Time),
		Replicas: &tmsv1.Replicas{
			Current: lease.Status.Replicas, Ready: lease.Status.ReadyReplicas, Wanted: lease.Status.WantedReplicas,
		},
		Granted: grantOf(lease),
	}
	for _, model := range lease.Spec.Models {
		told.Models = append(told.Models, &tmsv1.ModelStatus{
			Model: &tmsv1.Model{Name: model.Name, Uri: model.URI}, State: modelState(state, lease.Status.Replicas),
		})
	}
	if lease.Status.ExpiresAt != nil {
		told.ExpiresAt = timestamppb.New(lease.Status.ExpiresAt.Time)
	}
	return told
}

// stateOf says how a lease is, and why. What serves goes on serving while a change of
// it is refused.
func stateOf(lease *v1alpha1.TritonLease) (tmsv1.State, string) {
	granted := meta.FindStatusCondition(lease.Status.Conditions, v1alpha1.ConditionGranted)
	ready := meta.FindStatusCondition(lease.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case !lease.DeletionTimestamp.IsZero():
		return tmsv1.State_STATE_RELEASED, "the lease is being deleted"
	case granted == nil || ready == nil:
		return tmsv1.State_STATE_PENDING, "nobody has looked at the lease yet"
	case ready.Status == metav1.ConditionTrue:
		return tmsv1.State_STATE_SERVING, ready.Message
	case granted.Status == metav1.ConditionFalse:
		return tmsv1.State_STATE_REFUSED, requestPaths(granted.Message)
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

// grantOf tells what a lease was granted, in the words of requests.
func grantOf(lease *v1alpha1.TritonLease) *tmsv1.Grant {
	granted := lease.Status.Granted
	if granted == nil {
		return nil
	}
	told := &tmsv1.Grant{
		Autoscaled: granted.Autoscaled, MinReplicas: granted.MinReplicas, MaxReplicas: granted.MaxReplicas,
		Duration: durationpb.New(granted.Duration.Value()), AutoRenew: granted.AutoRenew,
	}
	for _, target := range granted.Metrics {
		told.Metrics = append(told.Metrics, &tmsv1.MetricGrant{Metric: metricOf(target.Metric), Threshold: target.Threshold})
	}
	for _, a := range granted.Adjustments {
		told.Adjustments = append(told.Adjustments, &tmsv1.Adjustment{
			Field: requestPaths(a.Field), Asked: a.Asked, Granted: a.Granted, Limit: a.Limit, Message: requestPaths(a.String()),
		})
	}
	for _, warning := range granted.Warnings {
		told.Warnings = append(told.Warnings, requestPaths(warning.String()))
	}
	return told
}

func metricOf(metric v1alpha1.MetricName) tmsv1.Metric {
	for ours, theirs := range metrics {
		if theirs == metric {
			return ours
		}
	}
	return tmsv1.Metric_METRIC_UNSPECIFIED
}

// requestPaths writes the paths of a lease in a text as those of a request. A lease
// does not keep the order in which a request named its metrics: an item of that list
// is named after its metric.
func requestPaths(text string) string {
	return strings.NewReplacer(
		"spec.image", "spec.triton_image",
		"spec.triton.resources.limits.nvidia.com/gpu", "spec.resources.gpus",
		"spec.triton.resources.requests.cpu", "spec.resources.cpus",
		"spec.triton.resources.requests.memory", "spec.resources.memory",
		"spec.triton.resources.limits.memory", "spec.resources.memory",
		"spec.triton.resources.limits", "spec.resources.gpus",
		"spec.autoscaling.replicas.minimum", "spec.autoscaling.min_replicas",
		"spec.autoscaling.replicas.maximum", "spec.autoscaling.max_replicas",
		"spec.autoscaling.metrics.cpuUtilization", "spec.autoscaling.metrics[METRIC_CPU_UTILIZATION]",
		"spec.autoscaling.metrics.gpuUtilization", "spec.autoscaling.metrics[METRIC_GPU_UTILIZATION]",
		"spec.autoscaling.metrics.queueTime", "spec.autoscaling.metrics[METRIC_QUEUE_TIME]",
		"spec.autoRenew", "spec.auto_renew",
		"metadata.name", "name",
	).Replace(text)
}
