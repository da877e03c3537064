package controller

import (
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// observe writes down what there is. The objects are nil where the lease is
// refused; the problem is what stood in the way of making them.
func (p *pass) observe(objects *render.Objects, problem error) {
	deployment, _ := first(p.ownedOf(deploymentKind)).(*appsv1.Deployment)
	autoscaler, _ := first(p.ownedOf(autoscalerKind)).(*autoscalingv2.HorizontalPodAutoscaler)
	p.observeAddress(objects)
	p.status.ReadyReplicas = 0
	if deployment != nil {
		p.status.ReadyReplicas = deployment.Status.AvailableReplicas
	}
	switch {
	case p.lease.Spec.Target != nil && autoscaler != nil:
		p.status.Replicas, p.status.WantedReplicas = autoscaler.Status.CurrentReplicas, autoscaler.Status.DesiredReplicas
	case deployment != nil && deployment.Spec.Replicas != nil:
		p.status.Replicas, p.status.WantedReplicas = deployment.Status.Replicas, *deployment.Spec.Replicas
	default:
		p.status.Replicas, p.status.WantedReplicas = 0, 0
	}
	p.observeReady(deployment, objects == nil, problem)
	switch {
	case objects == nil && p.status.Granted != nil: // which scales as it did before
	case objects == nil:
		p.set(v1alpha1.ConditionAutoscaling, no, "Refused", "the lease is refused")
	case problem != nil && autoscaler == nil && objects.Lease.Grant.Autoscaled:
		p.set(v1alpha1.ConditionAutoscaling, unknown, "NotMade", "the condition Ready says what is in the way")
	default:
		p.observeAutoscaling(objects, autoscaler)
	}
}

func first[T any](all []T) (one T) {
	if len(all) > 0 {
		return all[0]
	}
	return one
}

// observeAddress says where clients reach the Triton. A refused lease keeps its address.
func (p *pass) observeAddress(objects *render.Objects) {
	if objects == nil {
		return
	}
	p.status.Address = ""
	if objects.Service != nil {
		p.status.Address = objects.Service.Name + "." + p.lease.Namespace + ".svc"
	}
}

// observeReady says whether the Triton serves. What serves goes on counting while a
// change of the lease is refused, or cannot be made.
func (p *pass) observeReady(deployment *appsv1.Deployment, refused bool, problem error) {
	defer p.tellTrouble()
	const condition = v1alpha1.ConditionReady
	serving := p.status.ReadyReplicas
	switch {
	case errors.As(problem, new(conflict)):
		p.set(condition, no, "Conflict", problem.Error())
		p.lookAgain(foreignPeriod)
	case p.lease.Spec.Target != nil && !refused && problem == nil:
		p.set(condition, unknown, "Target", "somebody else runs the Triton of this lease")
	case serving > 0:
		message := fmt.Sprintf("%d of %d replicas serve", serving, p.status.WantedReplicas)
		if trouble := troubleOf(deployment); trouble != "" {
			message += "; " + trouble
		}
		if problem != nil {
			message += "; " + problem.Error()
		}
		p.set(condition, yes, "Serving", message)
	case problem != nil:
		p.set(condition, no, "Failed", problem.Error())
	case refused && deployment == nil:
		p.set(condition, no, "Refused", "the lease is refused")
	case deployment == nil:
		p.set(condition, no, "Starting", "the Triton is being started")
	case p.status.WantedReplicas == 0:
		p.set(condition, no, "ScaledToZero", "the Deployment is told to have no replicas")
	case troubleOf(deployment) != "":
		p.set(condition, no, "Failed", troubleOf(deployment))
	default:
		p.set(condition, no, "Starting", fmt.Sprintf("0 of %d replicas serve", p.status.WantedReplicas))
	}
}

// tellTrouble tells of what a person has to look at.
func (p *pass) tellTrouble() {
	for _, c := range p.status.Conditions {
		if c.Type == v1alpha1.ConditionReady && (c.Reason == "Conflict" || c.Reason == "Failed") {
			p.tell(v1alpha1.ConditionReady)
		}
	}
}

// troubleOf is why a Deployment does not get on, in the words of Kubernetes.
func troubleOf(deployment *appsv1.Deployment) string {
	for _, c := range deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue ||
			c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse {
			return c.Message
		}
	}
	return ""
}

// observeAutoscaling says whether the lease scales, in the words of its autoscaler.
func (p *pass) observeAutoscaling(objects *render.Objects, autoscaler *autoscalingv2.HorizontalPodAutoscaler) {
	const condition = v1alpha1.ConditionAutoscaling
	grant := objects.Lease.Grant
	if !grant.Autoscaled {
		if objects.Lease.Request.Enable {
			p.set(condition, no, "SwitchedOff", "autoscaling is switched off by server.autoscaling.enable")
		} else {
			p.set(condition, no, "NotAsked", "the lease does not ask for autoscaling")
		}
		return
	}
	if missing := p.missingKinds(objects); len(missing) > 0 {
		p.set(condition, no, "KindsMissing", "the API server does not know "+strings.Join(missing, " and ")+
			": install the Prometheus Operator, and the lease goes on by itself")
		return
	}
	active := conditionOf(autoscaler, autoscalingv2.ScalingActive)
	switch {
	case active == nil:
		p.set(condition, unknown, "Starting", "the HorizontalPodAutoscaler has not looked at the lease yet")
	case active.Status != corev1.ConditionTrue:
		p.set(condition, metav1.ConditionStatus(active.Status), active.Reason, active.Message)
	default:
		message := fmt.Sprintf("between %d and %d replicas", grant.MinReplicas, grant.MaxReplicas)
		if limited := conditionOf(autoscaler, autoscalingv2.ScalingLimited); limited != nil && limited.Status == corev1.ConditionTrue {
			message += "; " + limited.Message
		}
		p.set(condition, yes, "Scaling", message)
	}
}

func conditionOf(autoscaler *autoscalingv2.HorizontalPodAutoscaler, kind autoscalingv2.HorizontalPodAutoscalerConditionType) *autoscalingv2.HorizontalPodAutoscalerCondition {
	if autoscaler == nil {
		return nil
	}
	for i, c := range autoscaler.Status.Conditions {
		if c.Type == kind {
			return &autoscaler.Status.Conditions[i]
		}
	}
	return nil
}

// missingKinds are those that the lease should have and the API server does not know.
func (p *pass) missingKinds(objects *render.Objects) []string {
	var missing []string
	for _, k := range p.kinds {
		if k.of(objects) != nil && !k.watched.Load() {
			missing = append(missing, k.Kind)
		}
	}
	return missing
}
