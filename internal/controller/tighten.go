package controller

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// tighten has a lease that is refused keep what it has, within the bounds that are in
// force now: otherwise to be refused would be a way around them. What it asks of its
// duration counts where that is not what is wrong with it.
func (p *pass) tighten(ctx context.Context, in *render.Installation) error {
	had := p.status.Granted
	if had == nil {
		return nil
	}
	has := &v1alpha1.Granted{Grant: in.Tighten(had.Grant)}
	var err error
	asked := policy.TermRequest{Duration: p.lease.Spec.Duration, AutoRenew: p.lease.Spec.AutoRenew}
	if has.Term, _, err = in.Terms().Grant(field.NewPath("spec"), asked); err != nil {
		if has.Term, _, err = in.Terms().Grant(field.NewPath("spec"), policy.TermRequest{}); err != nil {
			return err
		}
	}
	p.status.Granted = has
	autoscaler, _ := first(p.ownedOf(autoscalerKind)).(*autoscalingv2.HorizontalPodAutoscaler)
	if autoscaler == nil {
		return nil
	}
	if !has.Autoscaled || p.duplicate {
		return p.prune(ctx, autoscalerKind, autoscaler)
	}
	return p.bound(ctx, autoscaler, has.Grant)
}

// bound brings the replicas of an autoscaler within a grant.
func (p *pass) bound(ctx context.Context, autoscaler *autoscalingv2.HorizontalPodAutoscaler, grant v1alpha1.Grant) error {
	minimum, maximum := int32(grant.MinReplicas), int32(grant.MaxReplicas)
	before := autoscaler.DeepCopy()
	if before.Spec.MaxReplicas == maximum && before.Spec.MinReplicas != nil && *before.Spec.MinReplicas == minimum {
		return nil
	}
	autoscaler.Spec.MinReplicas, autoscaler.Spec.MaxReplicas = &minimum, maximum
	if err := p.Patch(ctx, autoscaler, client.MergeFrom(before), fieldOwner); err != nil {
		return fmt.Errorf("%s %s: %w", autoscalerKind, autoscaler.Name, err)
	}
	return nil
}
