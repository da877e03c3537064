package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// AdministratorSets is the end of messages that name a key of the administrator.
const AdministratorSets = "an administrator sets it in the values of the release"

const replicasLimit = "server.leases.limits.replicas"

// Limits returns the most that one TritonLease may have.
func (b *LeaseBounds) Limits() v1alpha1.Limits {
	limits := v1alpha1.Limits{Replicas: b.config.Limits.Replicas, GPUs: b.config.Limits.GPUs}
	if b.cpu != nil {
		limits.CPU = b.cpu.String()
	}
	if b.memory != nil {
		limits.Memory = b.memory.String()
	}
	return limits
}

// CPU returns the limit of the CPU of one replica, or nil if there is none.
func (b *LeaseBounds) CPU() *resource.Quantity { return b.cpu }

// Memory returns the limit of the memory of one replica, or nil if there is none.
func (b *LeaseBounds) Memory() *resource.Quantity { return b.memory }

// PodSecurityStandard returns restricted, baseline or privileged.
func (b *LeaseBounds) PodSecurityStandard() string { return b.config.PodSecurityStandard }

// GrantReplicas clamps the number of replicas of a TritonLease that does not scale. The
// path is that of the lease. byDefault reports whether the number is the administrator's
// default.
func (b *LeaseBounds) GrantReplicas(path *field.Path, asked int64, byDefault bool) (int64, []v1alpha1.Adjustment) {
	granted := min(asked, b.config.Limits.Replicas)
	if granted == asked {
		return granted, nil
	}
	return granted, []v1alpha1.Adjustment{{
		Field: path.Child("triton", "replicas").String(), Asked: asked, Default: byDefault, Granted: granted, Limit: replicasLimit,
	}}
}

// LeaseCounts returns the highest number of granted TritonLeases, in all and of each
// namespace. 0 is no limit.
func (b *LeaseBounds) LeaseCounts() (all, perNamespace int64) {
	return b.config.Limits.Leases, b.config.Limits.LeasesPerNamespace
}

// countField is the path in the refusals of CheckCount.
const countField = "metadata.namespace"

// CheckCount returns a refusal if no further TritonLease may be granted in a namespace,
// which has some of all granted ones.
func (b *LeaseBounds) CheckCount(namespace string, all, inNamespace int) Refusal {
	var refusal Refusal
	check := func(whose, key string, have int, limit int64) {
		if limit > 0 && int64(have) >= limit {
			refusal = append(refusal, field.Forbidden(field.NewPath(countField), fmt.Sprintf(
				"%s must not have more granted TritonLeases than server.leases.limits.%s (%d); delete leases, or ask the administrator to raise the limit together with the memory of tms-server", whose, key, limit)))
		}
	}
	check("namespace "+namespace, "leasesPerNamespace", inNamespace, b.config.Limits.LeasesPerNamespace)
	check("the installation", "leases", all, b.config.Limits.Leases)
	return refusal
}

// RefusedByCount reports whether a TritonLease without a grant was refused by CheckCount.
// It asks for nothing of a budget while it waits for its turn.
func RefusedByCount(lease *v1alpha1.TritonLease) bool {
	return lease.Status.Granted == nil && slices.ContainsFunc(lease.Status.Refusals, func(r v1alpha1.Refusal) bool { return r.Field == countField })
}
