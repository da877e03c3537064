package policy

import (
	"cmp"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const allowedTolerations = "server.leases.allowedTolerations"

// checkTolerations refuses tolerations that no entry of server.leases.allowedTolerations
// covers.
func (b *LeaseBounds) checkTolerations(pod podRequest) field.ErrorList {
	var reasons field.ErrorList
	for toleration := range pod.items("tolerations") {
		if !b.allowsToleration(toleration.value) {
			reasons = append(reasons, field.Forbidden(toleration.path,
				"a TritonLease may not have this toleration: no entry of "+allowedTolerations+" matches it; "+AdministratorSets))
		}
	}
	return reasons
}

// allowsToleration reports whether an entry covers all taints that a toleration tolerates.
// A toleration without key, value or effect tolerates every key, value or effect: only an
// entry that does not name one covers it.
func (b *LeaseBounds) allowsToleration(toleration map[string]any) bool {
	text := func(key string) string {
		text, _ := toleration[key].(string)
		return text
	}
	operator := cmp.Or(text("operator"), "Equal")
	for _, entry := range b.config.AllowedTolerations {
		if (entry.Key == "" || entry.Key == text("key")) &&
			(entry.Operator == "" || entry.Operator == operator) &&
			(entry.Value == "" || entry.Value == text("value") && operator == "Equal") &&
			(entry.Effect == "" || entry.Effect == text("effect")) {
			return true
		}
	}
	return false
}
