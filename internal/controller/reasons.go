package controller

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// reason is a reason of a condition, of an event, or of both.
type reason struct {
	// condition is empty for the reason of an event only.
	condition, name string
	status          metav1.ConditionStatus
	// eventType is the type of the event that reports the reason.
	eventType string
	meaning   string
}

// none is the eventType of a reason without an event.
const none = ""

// reasons lists all reasons, except those that the condition Autoscaling copies from the
// HorizontalPodAutoscaler.
var reasons = []reason{
	{v1alpha1.ConditionGranted, "Granted", metav1.ConditionTrue, corev1.EventTypeNormal, "The lease has what it asks for. The message contains the warnings."},
	{v1alpha1.ConditionGranted, "Adjusted", metav1.ConditionTrue, corev1.EventTypeWarning, "A number of the lease is clamped. The message has one sentence for each number."},
	{v1alpha1.ConditionGranted, "Refused", metav1.ConditionFalse, corev1.EventTypeWarning, "The request is refused. The message says what to change. Existing objects keep running."},
	{v1alpha1.ConditionReady, "Serving", metav1.ConditionTrue, none, "At least one replica serves all models."},
	{v1alpha1.ConditionReady, "Starting", metav1.ConditionFalse, none, "No replica serves yet, or the lease waits until Kubernetes has deleted the objects of an earlier lease with its name."},
	{v1alpha1.ConditionReady, "Failed", metav1.ConditionFalse, corev1.EventTypeWarning, "An object cannot be applied, or the Deployment makes no progress. The message is that of Kubernetes."},
	{v1alpha1.ConditionReady, "Refused", metav1.ConditionFalse, none, "The lease is refused and nothing runs: see the condition Granted."},
	{v1alpha1.ConditionReady, "Conflict", metav1.ConditionFalse, corev1.EventTypeWarning, "An object with the name that the lease needs exists, and does not belong to the lease."},
	{v1alpha1.ConditionReady, "ScaledToZero", metav1.ConditionFalse, none, "The Deployment asks for 0 replicas."},
	{v1alpha1.ConditionReady, "Target", metav1.ConditionUnknown, none, "The lease scales an existing workload and does not run Triton itself."},
	{v1alpha1.ConditionAutoscaling, "Scaling", metav1.ConditionTrue, none, "The HorizontalPodAutoscaler reads its metrics."},
	{v1alpha1.ConditionAutoscaling, "NotAsked", metav1.ConditionFalse, none, "The lease does not ask for autoscaling."},
	{v1alpha1.ConditionAutoscaling, "SwitchedOff", metav1.ConditionFalse, none, "The administrator switched autoscaling off with server.autoscaling.enable."},
	{v1alpha1.ConditionAutoscaling, "KindsMissing", metav1.ConditionFalse, none, "The API server does not serve a kind of the lease: PodMonitor or PrometheusRule (install the Prometheus Operator), or ScaledObject (install KEDA)."},
	{v1alpha1.ConditionAutoscaling, "Refused", metav1.ConditionFalse, none, "The lease is refused: see the condition Granted."},
	{v1alpha1.ConditionAutoscaling, "Starting", metav1.ConditionUnknown, none, "The HorizontalPodAutoscaler has no status yet."},
	{v1alpha1.ConditionAutoscaling, "Fallback", metav1.ConditionFalse, none, "KEDA cannot read a metric, and keeps the replicas."},
	{v1alpha1.ConditionAutoscaling, "KEDAFailed", metav1.ConditionFalse, none, "KEDA cannot scale the lease. The message is that of the ScaledObject."},
	{v1alpha1.ConditionAutoscaling, "NotApplied", metav1.ConditionUnknown, none, "An object cannot be applied: see the condition Ready."},
	{v1alpha1.ConditionAutoRenew, "Renewed", metav1.ConditionTrue, corev1.EventTypeNormal, "The lease served requests and was renewed."},
	{v1alpha1.ConditionAutoRenew, "Idle", metav1.ConditionFalse, corev1.EventTypeWarning, "The lease served no requests and will expire. The message has the time."},
	{v1alpha1.ConditionAutoRenew, "NoMetrics", metav1.ConditionUnknown, corev1.EventTypeWarning, "The requests cannot be counted, and the lease will expire. The message has the time and the cause."},
	{"", "Corrected", "", corev1.EventTypeWarning, "Another client changed a field that the lease sets. tms-server reverted the change."},
	{"", "Pruned", "", corev1.EventTypeNormal, "tms-server deleted an object that the lease no longer has."},
	{"", "Scheduled", "", corev1.EventTypeNormal, "Another entry of the schedule is in effect."},
	{"", "Expired", "", corev1.EventTypeNormal, "The lease expired and is deleted."},
	{"", "NotAcquired", "", corev1.EventTypeNormal, "The client that created the lease did not acquire it in time. The lease is deleted."},
}

// eventTypeOf returns the type of the event with a reason.
func eventTypeOf(name string) string {
	for _, r := range reasons {
		if r.name == name && r.eventType != none {
			return r.eventType
		}
	}
	return corev1.EventTypeNormal
}
