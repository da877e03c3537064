package controller

import (
	"context"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// clampGranted keeps what a refused lease was granted before, but within the current
// bounds: otherwise a refused change would be a way to evade lowered bounds. It sets the
// term that the lease requests, unless the term itself is refused.
func (r *reconciliation) clampGranted(ctx context.Context, renderer *render.LeaseRenderer) error {
	if r.status.Granted == nil {
		return nil
	}
	spec := field.NewPath("spec")
	granted := new(v1alpha1.Granted)
	if !r.duplicate { // a lease must not scale what another lease scales
		granted.Grant = renderer.ClampReplicas(r.status.Granted.Grant)
		if deployment := r.deployment(); r.status.Granted.Autoscaled && !granted.Autoscaled && deployment != nil && deployment.Spec.Replicas != nil {
			granted.Replicas = int64(*deployment.Spec.Replicas) // it keeps them
		}
		r.charge.lowerGranted(&granted.Grant)
	}
	if entry, scheduled, err := r.activeEntry(granted.Grant); err != nil {
		return err
	} else if scheduled {
		granted.SetInForce(entry)
		r.recordSchedule(granted.Grant)
	}
	requested := policy.TermRequest{Duration: r.lease.Spec.Duration, AutoRenew: r.lease.Spec.AutoRenew}
	term, adjustments, err := renderer.Bounds().GrantTerm(spec, requested)
	if err != nil {
		if term, adjustments, err = renderer.Bounds().GrantTerm(spec, policy.TermRequest{}); err != nil {
			return err
		}
	}
	granted.Term = term
	isTerm := func(a v1alpha1.Adjustment) bool { return a.Field == spec.Child("duration").String() }
	granted.Adjustments = append(slices.DeleteFunc(granted.Adjustments, isTerm), adjustments...)
	r.status.Granted = granted
	if granted.Autoscaled {
		return r.setBounds(ctx, granted.Grant)
	}
	if err := r.pruneAutoscaler(ctx); err != nil {
		return err
	}
	return r.lowerReplicas(ctx, granted.Grant)
}

// pruneAutoscaler deletes the autoscaler of a lease that may not scale.
func (r *reconciliation) pruneAutoscaler(ctx context.Context) error {
	for k, objects := range r.owned {
		if k.Kind != autoscalerKind && k.Kind != scaledObjectKind {
			continue
		}
		if err := r.pruneAll(ctx, k.Kind, objects); err != nil {
			return err
		}
		delete(r.owned, k) // the status must not report it
	}
	return nil
}

// setBounds sets the bounds of the autoscaler and of the ScaledObject of the lease to those of
// a grant.
func (r *reconciliation) setBounds(ctx context.Context, grant v1alpha1.Grant) error {
	if object := r.scaledObject(); object != nil {
		if err := r.setScaledObjectBounds(ctx, object, grant); err != nil {
			return err
		}
	}
	for _, object := range r.ownedOf(autoscalerKind) {
		if err := r.setReplicaBounds(ctx, object.(*autoscalingv2.HorizontalPodAutoscaler), grant); err != nil {
			return err
		}
	}
	return nil
}

// setReplicaBounds sets the bounds of an autoscaler to those of a grant.
func (r *reconciliation) setReplicaBounds(ctx context.Context, autoscaler *autoscalingv2.HorizontalPodAutoscaler, grant v1alpha1.Grant) error {
	minimum, maximum := int32(grant.MinReplicas), int32(grant.MaxReplicas)
	if autoscaler.Spec.MaxReplicas == maximum && autoscaler.Spec.MinReplicas != nil && *autoscaler.Spec.MinReplicas == minimum {
		return nil
	}
	changed := autoscaler.DeepCopy() // the cache has the original
	changed.Spec.MinReplicas, changed.Spec.MaxReplicas = &minimum, maximum
	if err := r.patchOwned(ctx, changed, autoscaler); err != nil {
		return fmt.Errorf("%s %s: %w", autoscalerKind, autoscaler.Name, err)
	}
	return nil
}

// lowerReplicas lowers the replicas of the Deployment of a lease that does not scale to
// those of its grant.
func (r *reconciliation) lowerReplicas(ctx context.Context, grant v1alpha1.Grant) error {
	deployment := r.deployment()
	if grant.Autoscaled || r.duplicate || deployment == nil || deployment.Spec.Replicas == nil || int64(*deployment.Spec.Replicas) <= grant.Replicas {
		return nil
	}
	changed := deployment.DeepCopy()
	changed.Spec.Replicas = new(int32(grant.Replicas))
	if err := r.patchOwned(ctx, changed, deployment); err != nil {
		return fmt.Errorf("%s %s: %w", deploymentKind, deployment.Name, err)
	}
	return nil
}
