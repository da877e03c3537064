package lease

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// condition sets a condition of a status.
func condition(status *v1alpha1.TritonLeaseStatus, kind string, value bool, reason, message string) {
	conditionStatus := metav1.ConditionFalse
	if value {
		conditionStatus = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{Type: kind, Status: conditionStatus, Reason: reason, Message: message})
}

func starting(status *v1alpha1.TritonLeaseStatus) {
	condition(status, v1alpha1.ConditionGranted, true, "Granted", "the lease has what it asks for")
	condition(status, v1alpha1.ConditionReady, false, "Starting", "0 of 1 replicas serve")
	status.WantedReplicas = 1
}

func serving(status *v1alpha1.TritonLeaseStatus) {
	starting(status)
	condition(status, v1alpha1.ConditionReady, true, "Serving", "1 of 1 replicas serve")
	status.Replicas, status.ReadyReplicas, status.Address = 1, 1, "tms-a.default.svc"
}

func refusedByController(status *v1alpha1.TritonLeaseStatus) {
	status.Refusals = []v1alpha1.Refusal{{Field: "spec.image", Reason: "FieldValueForbidden", Message: "Forbidden: registry/metadata.name:1 is not allowed"}}
	condition(status, v1alpha1.ConditionGranted, false, "Refused", status.Refusals[0].String())
	condition(status, v1alpha1.ConditionReady, false, "Refused", "the lease is refused")
}
