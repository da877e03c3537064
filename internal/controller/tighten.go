package controller

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// tighten keeps what a refused lease was granted before, within the current bounds:
// otherwise a refused change would be a way to evade lowered bounds. The term that the
// lease asks for counts, unless the term itself is refused.
func (r *reconciliation) tighten(ctx context.Context, renderer *render.LeaseRenderer) error {
	if r.status.Granted == nil {
		return nil
	}
	granted := &v1alpha1.Granted{Grant: tightenGrant(renderer, r.status.Granted.Grant)}
	var err error
	asked := policy.TermRequest{Duration: r.lease.Spec.Duration, AutoRenew: r.lease.Spec.AutoRenew}
	if granted.Term, _, err = renderer.Terms().Grant(field.NewPath("spec"), asked); err != nil {
		if granted.Term, _, err = renderer.Terms().Grant(field.NewPath("spec"), policy.TermRequest{}); err != nil {
			return err
		}
	}
	r.status.Granted = granted
	autoscaler := r.autoscaler()
	if autoscaler == nil {
		return nil
	}
	if !granted.Autoscaled || r.duplicate {
		return r.pruneAutoscaler(ctx)
	}
	return r.setReplicaBounds(ctx, autoscaler, granted.Grant)
}

// tightenGrant returns a grant within the current bounds. If they change no number, the
// adjustments and the warnings of the grant still hold.
func tightenGrant(renderer *render.LeaseRenderer, granted v1alpha1.Grant) v1alpha1.Grant {
	tightened := renderer.Tighten(granted)
	numbers := func(g v1alpha1.Grant) v1alpha1.Grant {
		g.Adjustments, g.Warnings = nil, nil
		return g
	}
	if equality.Semantic.DeepEqual(numbers(tightened), numbers(granted)) {
		return granted
	}
	return tightened
}

// pruneAutoscaler deletes the autoscaler of a lease that may not scale.
func (r *reconciliation) pruneAutoscaler(ctx context.Context) error {
	if err := r.pruneAll(ctx, autoscalerKind, r.ownedOf(autoscalerKind)); err != nil {
		return err
	}
	for k := range r.owned {
		if k.Kind == autoscalerKind {
			delete(r.owned, k) // the status must not report it
		}
	}
	return nil
}

// setReplicaBounds sets the bounds of an autoscaler to those of a grant.
func (r *reconciliation) setReplicaBounds(ctx context.Context, autoscaler *autoscalingv2.HorizontalPodAutoscaler, grant v1alpha1.Grant) error {
	minimum, maximum := int32(grant.MinReplicas), int32(grant.MaxReplicas)
	before := autoscaler.DeepCopy()
	if before.Spec.MaxReplicas == maximum && before.Spec.MinReplicas != nil && *before.Spec.MinReplicas == minimum {
		return nil
	}
	autoscaler.Spec.MinReplicas, autoscaler.Spec.MaxReplicas = &minimum, maximum
	if err := r.Patch(ctx, autoscaler, client.MergeFrom(before), fieldOwner); err != nil {
		return fmt.Errorf("%s %s: %w", autoscalerKind, autoscaler.Name, err)
	}
	return nil
}
