package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DuplicateTarget refuses a second lease of one target: two autoscalers would conflict,
// and two rules would record the same series. The path is that of the lease. The other
// lease has the target; it is empty if both leases are in one values file.
func DuplicateTarget(path *field.Path, target, other string) *field.Error {
	duplicate := field.Duplicate(path.Child("target", "name"), target)
	if other != "" {
		duplicate.Detail = fmt.Sprintf("TritonLease %s scales it already", other)
	}
	return duplicate
}

// TargetLabel is the label of workloads that a TritonLease may scale, with the value true,
// if server.leases.allowedTargets is Labelled.
const TargetLabel = "tms.triton-leases.dev/target"

const (
	allowedTargets  = "server.leases.allowedTargets"
	targetsLabelled = "Labelled"
	targetsAll      = "All"
	targetsNone     = "None"
)

// CheckTarget refuses a workload that a TritonLease may not scale. The path is that of the
// lease, and the labels are those of the workload.
func (b *LeaseBounds) CheckTarget(path *field.Path, labels map[string]string) field.ErrorList {
	if b.config.AllowedTargets == targetsAll || b.config.AllowedTargets == targetsLabelled && labels[TargetLabel] == "true" {
		return nil
	}
	if b.config.AllowedTargets == targetsNone {
		return b.checkTargets(path)
	}
	return field.ErrorList{field.Forbidden(path.Child("target", "name"), fmt.Sprintf(
		"the workload must have the label %s: \"true\", because %s is %s", TargetLabel, allowedTargets, b.config.AllowedTargets))}
}

// checkTargets refuses a target if no TritonLease may have one.
func (b *LeaseBounds) checkTargets(path *field.Path) field.ErrorList {
	if b.config.AllowedTargets != targetsNone {
		return nil
	}
	return field.ErrorList{field.Forbidden(path.Child("target"), fmt.Sprintf(
		"a TritonLease may not have a target, because %s is %s; %s", allowedTargets, targetsNone, AdministratorSets))}
}
