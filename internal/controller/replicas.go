package controller

import (
	"context"
	"fmt"
	"math"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

const (
	deploymentKind = "Deployment"
	autoscalerKind = "HorizontalPodAutoscaler"
)

// replicasOwner is the field manager of spec.replicas while a Deployment changes over
// to its autoscaler: a field that its last manager gives up is reset to 1.
const replicasOwner = client.FieldOwner(managedBy + "-replicas")

// keepReplicas keeps the current replicas of a Deployment when autoscaling is switched
// on or off. A lease that is not autoscaled and sets no number starts with the default;
// after that, users may scale its Deployment, as far as the limit and its charge allow.
func (r *reconciliation) keepReplicas(ctx context.Context, steps []*step, grant v1alpha1.Grant) error {
	var deployment, autoscaler *step
	for _, s := range steps {
		switch s.kind.Kind {
		case deploymentKind:
			deployment = s
		case autoscalerKind, scaledObjectKind:
			autoscaler = s
		}
	}
	if deployment == nil || deployment.live == nil {
		return nil
	}
	if autoscaler != nil || grant.Autoscaled { // the API server may not serve ScaledObjects
		most := int64(math.MaxInt32)
		if r.charge != nil && grant.GPUs > 0 {
			most = grant.MaxReplicas // as the autoscaler will do, but before the pods get other GPUs
		}
		replicas := deployment.live.(*appsv1.Deployment).Spec.Replicas
		scales := autoscaler != nil && autoscaler.live != nil || r.autoscaler() != nil
		if replicas == nil || scales && int64(*replicas) <= most {
			return nil // the autoscaler already has them
		}
		if *replicas == 0 {
			// An autoscaler never scales a Deployment that has 0 replicas. No pod of the earlier
			// template may start, which may have more GPUs.
			return deployment.setReplicas(1)
		}
		return r.holdReplicas(ctx, deployment, min(int64(*replicas), most))
	}
	if r.lease.Spec.Triton != nil && r.lease.Spec.Triton.Replicas != nil {
		return nil
	}
	// The cache may be behind the autoscaler that was just deleted.
	if r.ownsAutoscaler() {
		current := new(appsv1.Deployment)
		if err := r.live.Get(ctx, client.ObjectKeyFromObject(deployment.live), current); err != nil {
			return fmt.Errorf("read %s %s: %w", deploymentKind, deployment.live.GetName(), err)
		}
		deployment.live = current
	}
	replicas := deployment.live.(*appsv1.Deployment).Spec.Replicas
	if replicas == nil {
		return nil
	}
	kept := int64(*replicas)
	switch {
	case r.deployment() != nil && !r.ownsAutoscaler():
		kept = grant.Replicas // see keepGranted
	case r.charge != nil && grant.GPUs > 0:
		kept = min(kept, grant.Replicas) // what its charge allows
	default:
		kept = min(kept, r.status.Limits.Replicas)
	}
	return deployment.setReplicas(kept)
}

// ownsAutoscaler reports whether the lease owns an autoscaler or a ScaledObject.
func (r *reconciliation) ownsAutoscaler() bool {
	return len(r.ownedOf(autoscalerKind))+len(r.ownedOf(scaledObjectKind)) > 0
}

// setReplicas sets the replicas of the Deployment that will be applied.
func (s *step) setReplicas(replicas int64) error {
	s.desired.object.(*appsv1.Deployment).Spec.Replicas = new(int32(replicas))
	if err := s.desired.setDigest(); err != nil {
		return err
	}
	// If a user scaled the Deployment in the meantime, this makes it a write conflict.
	s.desired.object.SetResourceVersion(s.live.GetResourceVersion())
	return nil
}

// holdReplicas makes replicasOwner a manager of spec.replicas, before fieldOwner gives
// the field up.
func (r *reconciliation) holdReplicas(ctx context.Context, deployment *step, replicas int64) error {
	held := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": replicas}}}
	held.SetGroupVersionKind(deployment.kind.GroupVersionKind)
	held.SetNamespace(deployment.live.GetNamespace())
	held.SetName(deployment.live.GetName())
	held.SetResourceVersion(deployment.live.GetResourceVersion()) // a write conflict if it was scaled in the meantime
	if err := r.Apply(ctx, client.ApplyConfigurationFromUnstructured(held), replicasOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("%s %s: keep the replicas: %w", deploymentKind, held.GetName(), err)
	}
	return nil
}
