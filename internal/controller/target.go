package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// targetIndex finds leases by the target that they scale.
const targetIndex = "target"

func indexTarget(object client.Object) []string {
	if lease, ok := object.(*v1alpha1.TritonLease); ok {
		if workload := scaledWorkload(lease); workload != "" {
			return []string{workload}
		}
	}
	return nil
}

// scaledWorkload identifies the target that a lease scales. It is empty if the lease
// has no target or is not autoscaled.
func scaledWorkload(lease *v1alpha1.TritonLease) string {
	if lease.Spec.Target == nil || !lease.Spec.Autoscaling.Enable {
		return ""
	}
	return lease.Spec.Target.Workload()
}

// checkTarget refuses a target that something else scales already, and a target that its
// owner does not let leases scale.
func (r *reconciliation) checkTarget(ctx context.Context, bounds *policy.LeaseBounds) error {
	if r.lease.Spec.Target == nil {
		return nil
	}
	if err := r.checkScaled(ctx); err != nil || !bounds.TargetsNeedLabel() {
		return err
	}
	return r.checkTargetLabel(ctx)
}

// checkScaled refuses a target that something else scales already: an older lease with
// the same target, or the lease that owns the Deployment.
func (r *reconciliation) checkScaled(ctx context.Context) error {
	workload := scaledWorkload(r.lease)
	if workload == "" {
		return nil
	}
	path := field.NewPath("spec")
	var same v1alpha1.TritonLeaseList
	if err := r.List(ctx, &same, client.InNamespace(r.lease.Namespace), client.MatchingFields{targetIndex: workload}); err != nil {
		return fmt.Errorf("list leases by target: %w", err)
	}
	for i := range same.Items {
		if other := &same.Items[i]; isOlder(other, r.lease) {
			r.requeueAfter(pollInterval)
			r.duplicate = true
			return policy.Refusal{policy.DuplicateTarget(path, r.lease.Spec.Target.Name, other.Name)}
		}
	}
	if r.lease.Spec.Target.IsDeployment() {
		return r.checkTargetOwner(ctx, path.Child("target", "name"))
	}
	return nil
}

// checkTargetOwner refuses a Deployment that a lease owns. The cache holds all of those.
func (r *reconciliation) checkTargetOwner(ctx context.Context, path *field.Path) error {
	deployment := new(appsv1.Deployment)
	err := r.Get(ctx, client.ObjectKey{Namespace: r.lease.Namespace, Name: r.lease.Spec.Target.Name}, deployment)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the target: %w", err)
	}
	owner := metav1.GetControllerOf(deployment)
	if owner == nil || !isLease(owner) {
		return nil
	}
	r.requeueAfter(pollInterval)
	r.duplicate = true
	return policy.Refusal{field.Forbidden(path, fmt.Sprintf("this Deployment belongs to TritonLease %s, which scales it itself", owner.Name))}
}

// checkTargetLabel refuses a target without the label policy.TargetLabel. It reads only the
// metadata, and from the API server: the cache holds only the objects of leases. A target
// that does not exist is refused, too. Otherwise a lease could be granted before its target
// is created without the label. The lease is checked again after pollInterval.
func (r *reconciliation) checkTargetLabel(ctx context.Context) error {
	path, target := field.NewPath("spec"), r.lease.Spec.Target
	workload := new(metav1.PartialObjectMetadata)
	workload.SetGroupVersionKind(target.GroupVersionKind())
	kind := workload.Kind
	var reason *field.Error
	switch err := r.live.Get(ctx, client.ObjectKey{Namespace: r.lease.Namespace, Name: target.Name}, workload); {
	case err == nil && workload.Labels[policy.TargetLabel] == "true":
		return nil
	case err == nil:
		reason = policy.UnlabelledTarget(path, kind, r.lease.Namespace, target.Name)
	case apierrors.IsNotFound(err):
		reason = policy.UnreadableTarget(path, fmt.Sprintf("%s %s does not exist", kind, target.Name))
	case meta.IsNoMatchError(err):
		reason = policy.UnreadableTarget(path, fmt.Sprintf("the cluster has no kind %s of %s", kind, target.GroupVersionKind().GroupVersion()))
	case apierrors.IsForbidden(err):
		reason = policy.UnreadableTarget(path, fmt.Sprintf("tms-server may not read it: %v", err))
	default:
		return fmt.Errorf("read the target: %w", err)
	}
	r.requeueAfter(pollInterval)
	return policy.Refusal{reason}
}

// isOlder orders leases by age, and by name if they were created in the same second.
func isOlder(a, b *v1alpha1.TritonLease) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}
