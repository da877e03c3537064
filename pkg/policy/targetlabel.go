package policy

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TargetLabel is the label with the value "true" by which the owner of a workload lets
// TritonLeases scale it.
const TargetLabel = "tms.triton-leases.dev/target"

// TargetsNeedLabel reports whether a TritonLease may scale only workloads with TargetLabel.
func (t *Terms) TargetsNeedLabel() bool {
	return t.config.AllowedTargets != "All" && t.config.AllowedTargets != "None"
}

// UnlabelledTarget refuses a target without TargetLabel. The path is that of the lease.
func UnlabelledTarget(path *field.Path, kind, namespace, name string) *field.Error {
	return field.Forbidden(path.Child("target", "name"), fmt.Sprintf(
		"%s %s must have the label %s: \"true\", which lets leases scale it (server.leases.allowedTargets is Labelled): to set it: kubectl label %s/%s %s=true -n %s",
		kind, name, TargetLabel, strings.ToLower(kind), name, TargetLabel, namespace))
}

// UnreadableTarget refuses a target whose label cannot be read for a reason.
func UnreadableTarget(path *field.Path, reason string) *field.Error {
	return field.Forbidden(path.Child("target", "name"), fmt.Sprintf(
		"%s, so the label %s cannot be read (server.leases.allowedTargets is Labelled)", reason, TargetLabel))
}
