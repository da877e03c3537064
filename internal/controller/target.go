package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// targetIndex finds leases by the workload of somebody else that they scale.
const targetIndex = "target"

func indexTarget(object client.Object) []string {
	if lease, ok := object.(*v1alpha1.TritonLease); ok {
		if workload := scaled(lease); workload != "" {
			return []string{workload}
		}
	}
	return nil
}

// scaled names the workload that a lease scales, where somebody else deploys it.
func scaled(lease *v1alpha1.TritonLease) string {
	if lease.Spec.Target == nil || !lease.Spec.Autoscaling.Enable {
		return ""
	}
	return lease.Spec.Target.Workload()
}

// checkTarget refuses a target that is not the lease's alone: two autoscalers would
// pull at it, or the controller of another lease take back what this one's does.
func (p *pass) checkTarget(ctx context.Context) error {
	workload := scaled(p.lease)
	if workload == "" {
		return nil
	}
	path := field.NewPath("spec")
	var same v1alpha1.TritonLeaseList
	if err := p.List(ctx, &same, client.InNamespace(p.lease.Namespace), client.MatchingFields{targetIndex: workload}); err != nil {
		return fmt.Errorf("list leases of a target: %w", err)
	}
	for i := range same.Items {
		if other := &same.Items[i]; older(other, p.lease) {
			p.lookAgain(foreignPeriod)
			p.duplicate = true
			return policy.Refusal{policy.DuplicateTarget(path, p.lease.Spec.Target.Name, other.Name)}
		}
	}
	if p.lease.Spec.Target.IsDeployment() {
		return p.checkOwner(ctx, path.Child("target", "name"))
	}
	return nil
}

// checkOwner refuses a Deployment that a lease made. It asks for those that are
// watched, which are all that leases make.
func (p *pass) checkOwner(ctx context.Context, path *field.Path) error {
	deployment := new(appsv1.Deployment)
	err := p.Get(ctx, client.ObjectKey{Namespace: p.lease.Namespace, Name: p.lease.Spec.Target.Name}, deployment)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the target: %w", err)
	}
	owner := metav1.GetControllerOf(deployment)
	if owner == nil || owner.Kind != "TritonLease" {
		return nil
	}
	p.lookAgain(foreignPeriod)
	p.duplicate = true
	return policy.Refusal{field.Forbidden(path, fmt.Sprintf("this Deployment belongs to TritonLease %s, which scales it itself", owner.Name))}
}

// older orders leases by age, and by name where they are of one second.
func older(a, b *v1alpha1.TritonLease) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}
