package render

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/schema"
	"github.com/triton-leases/tms/pkg/policy"
)

// refusals are the reasons why values are refused.
type refusals struct {
	bySchema field.ErrorList
	byPolicy policy.Refusal
	// ignored holds the top-level keys that the schema refuses, and leases the names of the
	// leases that it refuses. Reasons that follow from leaving them out are not reported.
	ignored, leases map[string]bool
	// defaults holds the reasons against keys outside leases.
	defaults map[string]bool
}

// newRefusals returns refusals with the reasons of the schema.
func newRefusals(values map[string]any, bySchema field.ErrorList) *refusals {
	r := &refusals{bySchema: bySchema, ignored: map[string]bool{}, leases: map[string]bool{}, defaults: map[string]bool{}}
	for _, reason := range bySchema {
		path := fieldpath.Parse(reason.Field) // never empty: pkg/policy names a key
		switch {
		case len(path) > 1 && path[0].Key == leasesKey:
			r.leases[path[1].Key] = true
		case len(path) > 0:
			if _, given := values[path[0].Key]; given {
				r.ignored[path[0].Key] = true
			}
		}
	}
	return r
}

// add adds reasons. A reason against a default comes from every lease that has it, and is
// added once.
func (r *refusals) add(reasons policy.Refusal) {
	for _, reason := range reasons {
		if !strings.HasPrefix(reason.Field, leasesKey+".") {
			if r.defaults[reason.Error()] {
				continue
			}
			r.defaults[reason.Error()] = true
		}
		r.byPolicy = append(r.byPolicy, reason)
	}
}

// addError adds the reasons of an error of package policy, if there are any.
func (r *refusals) addError(err error) { r.add(policy.Reasons(err)) }

// reasons returns the reasons of the schema, ordered by path, and then those of the
// policy. It leaves out those that may follow from an ignored key.
func (r *refusals) reasons() policy.Refusal {
	reasons := policy.Refusal(schema.Sort(r.bySchema))
	for _, reason := range r.byPolicy {
		if !r.mayFollow(fieldpath.Parse(reason.Field)) {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// mayFollow reports whether a reason with this path may follow from an ignored key.
func (r *refusals) mayFollow(path fieldpath.Path) bool {
	if r.ignored[path[0].Key] { // never empty: pkg/policy names a key
		return true
	}
	for _, d := range dependencies {
		if r.ignored[d.key] && d.affects(path) {
			return true
		}
	}
	return false
}

// dependencies are the keys outside of a lease that can be the cause of a reason against
// the lease. Its path begins with leases.<name>.
var dependencies = []struct {
	key     string
	affects func(path fieldpath.Path) bool
}{
	{"triton", func(path fieldpath.Path) bool { return len(path) > 2 && path[2].Key == "triton" }}, // has the default resources
	{"nameOverride", isObjectNamePath},
	{"fullnameOverride", isObjectNamePath},
	{"images", func(path fieldpath.Path) bool { return path[len(path)-1].Key == "image" }}, // has the default image
	{"images", isModelURIPath},                                                             // has the image that downloads models
	{"server", isModelURIPath},                                                             // has the model repositories
}

// isModelURIPath reports whether a path is that of the URI of a model.
func isModelURIPath(path fieldpath.Path) bool { return len(path) > 2 && path[len(path)-1].Key == "uri" }

// isObjectNamePath reports whether a path is that of checkNames for the name of the
// lease's objects: the lease itself.
func isObjectNamePath(path fieldpath.Path) bool { return len(path) == 2 }
