package controller

import (
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// observe writes to the status what runs. The objects are nil if there was nothing to apply;
// the failure is why they could not be applied.
func (r *reconciliation) observe(objects *render.Objects, failure error) {
	deployment, autoscaler := r.deployment(), r.autoscaler()
	if deployment == nil && objects != nil && failure == nil {
		deployment = objects.Deployment // the cache does not show it yet
	}
	r.status.ObservedGeneration = r.lease.Generation
	r.observeAddress(objects)
	r.observeReplicas(deployment, autoscaler)
	if r.status.ReadyReplicas > 0 {
		r.status.ModelStates = nil
	}
	r.observeReady(deployment, r.granted == nil, failure)
	r.observeAutoscaling(objects, autoscaler, failure)
}

// deployment returns the Deployment that the lease owns, or nil.
func (r *reconciliation) deployment() *appsv1.Deployment {
	for _, object := range r.ownedOf(deploymentKind) {
		return object.(*appsv1.Deployment)
	}
	return nil
}

// autoscaler returns the HorizontalPodAutoscaler that the lease owns, or that KEDA made from
// the ScaledObject of the lease. It returns nil if there is none.
func (r *reconciliation) autoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	for _, object := range r.ownedOf(autoscalerKind) {
		return object.(*autoscalingv2.HorizontalPodAutoscaler)
	}
	if object := r.scaledObject(); object != nil && r.fromKEDA != nil && metav1.IsControlledBy(r.fromKEDA, object) {
		return r.fromKEDA
	}
	return nil
}

// observeAddress sets where clients reach Triton. Without objects to apply, it stays.
func (r *reconciliation) observeAddress(objects *render.Objects) {
	if objects == nil {
		return
	}
	r.status.Address = ""
	if objects.Service != nil {
		r.status.Address = objects.Service.Name + "." + r.lease.Namespace + ".svc"
	}
}

// observeReplicas sets the numbers of replicas. Those of a target are known from its
// autoscaler alone: the controller does not read the target.
func (r *reconciliation) observeReplicas(deployment *appsv1.Deployment, autoscaler *autoscalingv2.HorizontalPodAutoscaler) {
	r.status.Replicas, r.status.ReadyReplicas, r.status.UpdatedReplicas, r.status.WantedReplicas = 0, 0, 0, 0
	if deployment != nil {
		r.status.ReadyReplicas = deployment.Status.AvailableReplicas
		if r.hasReloaded(deployment) {
			r.status.UpdatedReplicas = deployment.Status.UpdatedReplicas
		}
	}
	switch {
	case r.lease.Spec.Target != nil && autoscaler != nil:
		r.status.Replicas, r.status.WantedReplicas = autoscaler.Status.CurrentReplicas, autoscaler.Status.DesiredReplicas
	case deployment != nil:
		r.status.Replicas, r.status.WantedReplicas = deployment.Status.Replicas, 1 // the default of Kubernetes
		if deployment.Spec.Replicas != nil {
			r.status.WantedReplicas = *deployment.Spec.Replicas
		}
	}
}

// reloadedAnnotation is the annotation of pods with the time of the last reload.
const reloadedAnnotation = "tms.triton-leases.dev/reloaded-at"

// hasReloaded reports whether the status of a Deployment, as the cache shows it, is that of
// its current manifest and of the last reload.
func (r *reconciliation) hasReloaded(deployment *appsv1.Deployment) bool {
	if deployment.Status.ObservedGeneration < deployment.Generation {
		return false
	}
	at := r.status.ReloadedAt
	return at == nil || podTemplateOf(deployment).Annotations[reloadedAnnotation] == at.UTC().Format(time.RFC3339)
}

// observeReady sets the condition Ready. A lease that serves stays ready while a change
// of it is refused or cannot be applied.
func (r *reconciliation) observeReady(deployment *appsv1.Deployment, refused bool, failure error) {
	defer r.recordFailure()
	set := func(status metav1.ConditionStatus, reason, message string) {
		r.setCondition(v1alpha1.ConditionReady, status, reason, message)
	}
	serving := r.status.ReadyReplicas
	switch {
	case errors.As(failure, new(nameConflict)):
		set(metav1.ConditionFalse, "Conflict", failure.Error())
		r.requeueAfter(pollInterval)
	case errors.As(failure, new(leftover)):
		set(metav1.ConditionFalse, "Starting", failure.Error())
		r.requeueAfter(pollInterval) // its deletion is an event, unless it lost its label
	case r.lease.Spec.Target != nil && !refused && failure == nil:
		set(metav1.ConditionUnknown, "Target", "the lease scales an existing workload and does not run Triton itself")
	case serving > 0:
		message := fmt.Sprintf("%d of %d replicas serve", serving, r.status.WantedReplicas)
		if problem := failureOf(deployment); problem != "" {
			message += "; " + problem
		}
		if failure != nil {
			message += "; " + failure.Error()
		}
		set(metav1.ConditionTrue, "Serving", message)
	case failure != nil:
		set(metav1.ConditionFalse, "Failed", failure.Error())
	case refused && deployment == nil:
		set(metav1.ConditionFalse, "Refused", refusedMessage)
	case r.status.WantedReplicas == 0:
		set(metav1.ConditionFalse, "ScaledToZero", "spec.replicas of the Deployment is 0")
	case failureOf(deployment) != "":
		set(metav1.ConditionFalse, "Failed", failureOf(deployment))
	default:
		set(metav1.ConditionFalse, "Starting", fmt.Sprintf("0 of %d replicas serve", r.status.WantedReplicas))
	}
}

// refusedMessage is the message of the conditions Ready and Autoscaling of a lease that
// was never granted anything.
const refusedMessage = "the lease is refused, see the condition " + v1alpha1.ConditionGranted

// recordFailure records an event if Ready is false for a reason that a user must resolve. The
// text that observeProgress added to the message does not make another failure.
func (r *reconciliation) recordFailure() {
	before := meta.FindStatusCondition(r.lease.Status.Conditions, v1alpha1.ConditionReady)
	for _, c := range r.status.Conditions {
		known := before != nil && before.Reason == c.Reason && strings.HasPrefix(before.Message, c.Message+"; ")
		if c.Type == v1alpha1.ConditionReady && (c.Reason == "Conflict" || c.Reason == "Failed") && !known {
			r.recordCondition(v1alpha1.ConditionReady)
		}
	}
}

// failureOf returns why a Deployment makes no progress, in the words of Kubernetes. It
// is empty if the Deployment makes progress.
func failureOf(deployment *appsv1.Deployment) string {
	for _, c := range deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue ||
			c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse {
			return c.Message
		}
	}
	return ""
}
