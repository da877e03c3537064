package controller

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
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

// older orders leases by age, and by name where they are of one second.
func older(a, b *v1alpha1.TritonLease) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}
