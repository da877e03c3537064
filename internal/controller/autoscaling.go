package controller

import (
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// observeAutoscaling sets the condition Autoscaling. The objects are nil if there was nothing
// to apply; the failure is why they could not be applied.
func (r *reconciliation) observeAutoscaling(objects *render.Objects, autoscaler *autoscalingv2.HorizontalPodAutoscaler, failure error) {
	set := func(status metav1.ConditionStatus, reason, message string) {
		r.setCondition(v1alpha1.ConditionAutoscaling, status, reason, message)
	}
	switch {
	case r.granted == nil && (autoscaler == nil || r.status.Granted == nil):
		set(metav1.ConditionFalse, "Refused", refusedMessage)
	case r.granted == nil: // it scales within the bounds that it was granted before
		r.observeScaling(r.status.Granted.Grant, autoscaler)
	case !r.granted.Grant.Autoscaled && r.granted.RequestedAutoscaling.Enable:
		set(metav1.ConditionFalse, "SwitchedOff", "autoscaling is switched off by server.autoscaling.enable")
	case !r.granted.Grant.Autoscaled:
		set(metav1.ConditionFalse, "NotAsked", "the lease does not ask for autoscaling")
	case failure != nil && autoscaler == nil:
		set(metav1.ConditionUnknown, "NotApplied", "an object cannot be applied, see the condition "+v1alpha1.ConditionReady)
	case len(r.missingKinds(objects)) > 0:
		set(metav1.ConditionFalse, "KindsMissing", "the API server does not serve "+strings.Join(r.missingKinds(objects), " and ")+
			": install "+r.missingSoftware(objects)+", then the lease scales without further action")
	default:
		r.observeScaling(r.granted.Grant, autoscaler)
	}
}

// observeScaling sets the condition Autoscaling of a lease that may scale, in the words
// of its autoscaler.
func (r *reconciliation) observeScaling(grant v1alpha1.Grant, autoscaler *autoscalingv2.HorizontalPodAutoscaler) {
	set := func(status metav1.ConditionStatus, reason, message string) {
		r.setCondition(v1alpha1.ConditionAutoscaling, status, reason, message)
	}
	active := conditionOf(autoscaler, autoscalingv2.ScalingActive)
	reason, problem := kedaProblem(r.scaledObject())
	switch {
	case reason != "" && (active == nil || active.Status == corev1.ConditionTrue):
		set(metav1.ConditionFalse, reason, problem)
	case active == nil:
		set(metav1.ConditionUnknown, "Starting", "the HorizontalPodAutoscaler does not report a status yet")
	case active.Status != corev1.ConditionTrue:
		set(metav1.ConditionStatus(active.Status), active.Reason, active.Message)
	default:
		message := fmt.Sprintf("between %d and %d replicas", grant.MinReplicas, grant.MaxReplicas)
		if limited := conditionOf(autoscaler, autoscalingv2.ScalingLimited); limited != nil && limited.Status == corev1.ConditionTrue {
			message += "; " + limited.Message
		}
		set(metav1.ConditionTrue, "Scaling", message)
	}
}

func conditionOf(autoscaler *autoscalingv2.HorizontalPodAutoscaler, conditionType autoscalingv2.HorizontalPodAutoscalerConditionType) *autoscalingv2.HorizontalPodAutoscalerCondition {
	if autoscaler == nil {
		return nil
	}
	for i, c := range autoscaler.Status.Conditions {
		if c.Type == conditionType {
			return &autoscaler.Status.Conditions[i]
		}
	}
	return nil
}

// missingKinds returns the kinds that an autoscaled lease needs and the API server does not
// serve. The lease may share its monitors with others. The objects are nil if all kinds that the
// lease has are served.
func (r *reconciliation) missingKinds(objects *render.Objects) []string {
	var missing []string
	for _, k := range r.kinds {
		if !k.watched.Load() && (isMonitorKind(k) || objects != nil && len(k.of(objects)) > 0) {
			missing = append(missing, k.Kind)
		}
	}
	return missing
}

// missingSoftware returns what serves the missing kinds.
func (r *reconciliation) missingSoftware(objects *render.Objects) string {
	missing := r.missingKinds(objects)
	var software []string
	if slices.ContainsFunc(missing, func(kind string) bool { return kind != scaledObjectKind }) {
		software = append(software, "the Prometheus Operator")
	}
	if slices.Contains(missing, scaledObjectKind) {
		software = append(software, "KEDA")
	}
	return strings.Join(software, " and ")
}
