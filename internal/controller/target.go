package controller

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// targetIndex finds leases by the workload of somebody else that they scale.
const targetIndex = "target"

func indexTarget(object client.Object) []string {
	if lease, ok := object.(*v1alpha1.TritonLease); ok {
		if key := targetOf(lease); key != "" {
			return []string{key}
		}
	}
	return nil
}

// targetOf names the workload that a lease scales, where somebody else deploys it.
func targetOf(lease *v1alpha1.TritonLease) string {
	target := lease.Spec.Target
	if target == nil || !lease.Spec.Autoscaling.Enable {
		return ""
	}
	return strings.Join([]string{cmp.Or(target.APIVersion, "apps/v1"), cmp.Or(target.Kind, "Deployment"), target.Name}, " ")
}

// older orders leases by age, and by name where they are of one second.
func older(a, b *v1alpha1.TritonLease) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

func duplicateTarget(lease, older *v1alpha1.TritonLease) *field.Error {
	duplicate := field.Duplicate(field.NewPath("spec", "target", "name"), lease.Spec.Target.Name)
	duplicate.Detail = fmt.Sprintf("TritonLease %s scales it already", older.Name)
	return duplicate
}
