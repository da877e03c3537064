package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	deploymentKind = "Deployment"
	autoscalerKind = "HorizontalPodAutoscaler"
)

// replicasOwner keeps the number of replicas while a Deployment is handed to its
// autoscaler: a field that its last owner gives up falls back to 1.
const replicasOwner = client.FieldOwner(managedBy + "-replicas")

// keepReplicas makes sure that a Deployment keeps its number of replicas where
// autoscaling was switched on or off. A lease that is not autoscaled, and names no
// number, has the default when it is made; afterwards the number is left alone.
func (p *pass) keepReplicas(ctx context.Context, steps []*step) error {
	var deployment, autoscaler *step
	for _, s := range steps {
		switch s.kind.Kind {
		case deploymentKind:
			deployment = s
		case autoscalerKind:
			autoscaler = s
		}
	}
	if deployment == nil || deployment.live == nil {
		return nil
	}
	if autoscaler != nil {
		if autoscaler.live != nil {
			return nil // it is the autoscaler's since long
		}
		return p.handOver(ctx, deployment)
	}
	if p.lease.Spec.Triton != nil && p.lease.Spec.Triton.Replicas != nil {
		return nil
	}
	// What is in memory may be behind an autoscaler that was deleted just now.
	if len(p.ownedOf(autoscalerKind)) > 0 {
		if err := p.live.Get(ctx, client.ObjectKeyFromObject(deployment.live), deployment.live); err != nil {
			return fmt.Errorf("read %s %s: %w", deploymentKind, deployment.live.GetName(), err)
		}
	}
	replicas := deployment.live.(*appsv1.Deployment).Spec.Replicas
	if replicas == nil {
		return nil
	}
	if err := unstructured.SetNestedField(deployment.want.object.Object, int64(*replicas), "spec", "replicas"); err != nil {
		return fmt.Errorf("keep replicas: %w", err)
	}
	if err := deployment.want.seal(); err != nil {
		return err
	}
	// What is in memory may be behind somebody who scales: then this is a conflict.
	deployment.want.object.SetResourceVersion(deployment.live.GetResourceVersion())
	return nil
}

// handOver has another owner hold the number of replicas before this one gives it up.
func (p *pass) handOver(ctx context.Context, deployment *step) error {
	replicas := deployment.live.(*appsv1.Deployment).Spec.Replicas
	if replicas == nil {
		return nil
	}
	// An autoscaler leaves alone what has no replicas, for ever.
	held := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": max(int64(*replicas), 1)}}}
	held.SetGroupVersionKind(deployment.kind.GroupVersionKind)
	held.SetNamespace(deployment.live.GetNamespace())
	held.SetName(deployment.live.GetName())
	held.SetResourceVersion(deployment.live.GetResourceVersion()) // nobody may have scaled it meanwhile
	if err := p.Apply(ctx, client.ApplyConfigurationFromUnstructured(held), replicasOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("%s %s: hold the replicas: %w", deploymentKind, held.GetName(), err)
	}
	return nil
}

func (p *pass) ownedOf(kind string) []client.Object {
	for k, objects := range p.owned {
		if k.Kind == kind {
			return objects
		}
	}
	return nil
}
