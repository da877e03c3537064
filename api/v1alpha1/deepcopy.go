package v1alpha1

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/triton-leases/tms/internal/generic"
)

// DeepCopyObject makes TritonLease a runtime.Object.
func (l *TritonLease) DeepCopyObject() runtime.Object { return l.DeepCopy() }

// DeepCopyObject makes TritonLeaseList a runtime.Object.
func (l *TritonLeaseList) DeepCopyObject() runtime.Object {
	copied := *l
	copied.ListMeta = *l.ListMeta.DeepCopy()
	copied.Items = slices.Clone(l.Items)
	for i := range copied.Items {
		copied.Items[i] = *l.Items[i].DeepCopy()
	}
	return &copied
}

// DeepCopy returns a TritonLease that shares nothing with this one.
func (l *TritonLease) DeepCopy() *TritonLease {
	copied := *l
	copied.ObjectMeta = *l.ObjectMeta.DeepCopy()
	copied.Spec.Lease = l.Spec.Lease.DeepCopy()
	copied.Spec.Duration = generic.Pointer(l.Spec.Duration)
	copied.Spec.AutoRenew = generic.Pointer(l.Spec.AutoRenew)
	copied.Spec.RenewTime = l.Spec.RenewTime.DeepCopy()
	copied.Spec.AcquireBy = l.Spec.AcquireBy.DeepCopy()
	copied.Status.Conditions = slices.Clone(l.Status.Conditions)
	if l.Status.Granted != nil {
		copied.Status.Granted = &Granted{Grant: l.Status.Granted.Grant.DeepCopy(), Term: l.Status.Granted.Term}
	}
	copied.Status.RenewedAt = l.Status.RenewedAt.DeepCopy()
	copied.Status.ExpiresAt = l.Status.ExpiresAt.DeepCopy()
	return &copied
}
