package policy

import (
	"fmt"
	"strings"

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

// TargetsNeedLabel reports whether a TritonLease may scale only workloads with TargetLabel.
func (b *LeaseBounds) TargetsNeedLabel() bool { return b.config.AllowedTargets == targetsLabelled }

// UnlabelledTarget refuses a target without TargetLabel. The path is that of the lease.
func UnlabelledTarget(path *field.Path, kind, namespace, name string) *field.Error {
	return field.Forbidden(path.Child("target", "name"), fmt.Sprintf(
		"%s %s must have the label %s: \"true\", which lets leases scale it (%s is %s): to set it: kubectl label %s/%s %s=true -n %s",
		kind, name, TargetLabel, allowedTargets, targetsLabelled, strings.ToLower(kind), name, TargetLabel, namespace))
}

// UnreadableTarget refuses a target whose label cannot be read for a reason.
func UnreadableTarget(path *field.Path, reason string) *field.Error {
	return field.Forbidden(path.Child("target", "name"), fmt.Sprintf(
		"%s, so the label %s cannot be read (%s is %s)", reason, TargetLabel, allowedTargets, targetsLabelled))
}

// checkTargets refuses a target if no TritonLease may have one.
func (b *LeaseBounds) checkTargets(path *field.Path) field.ErrorList {
	if b.config.AllowedTargets != targetsNone {
		return nil
	}
	return field.ErrorList{field.Forbidden(path.Child("target"), fmt.Sprintf(
		"a TritonLease may not have a target, because %s is %s; %s", allowedTargets, targetsNone, AdministratorSets))}
}
