package render

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// fullname is what the names of all objects begin with. It is never cut: two
// names that are cut can collide.
func fullname(chart, release string, v *values.Values) string {
	if v.FullnameOverride != "" {
		return v.FullnameOverride
	}
	name := chart
	if v.NameOverride != "" {
		name = v.NameOverride
	}
	if strings.Contains(release, name) {
		return release
	}
	return release + "-" + name
}

// objectName is what every kind of object accepts as a name: a Service is the
// strictest. It has mostName bytes at most.
var objectName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

const mostName = 63

// checkNames refuses what cannot be named so.
func (in *Installation) checkNames(lease Lease, says *v1alpha1.LeaseSpec) policy.Refusal {
	var reasons policy.Refusal
	if lease.ObjectName == in.server {
		reasons = append(reasons, field.Invalid(lease.path, lease.ObjectName,
			"the objects of this lease would have this name, which is that of tms-server"))
	}
	if !objectName.MatchString(lease.ObjectName) {
		reasons = append(reasons, field.Invalid(lease.path, lease.ObjectName,
			"the objects of this lease would have this name, which must be a DNS label of at most 63 characters that begins with a letter; "+
				"change the name of the lease or of the release, or set fullnameOverride"))
	}
	seen := map[string]bool{}
	for i, model := range says.Models {
		if seen[model.Name] {
			reasons = append(reasons, field.Duplicate(lease.path.Child("models").Index(i).Child("name"), model.Name))
		}
		seen[model.Name] = true
	}
	return reasons
}
