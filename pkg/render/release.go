package render

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// Release is the Helm release that is rendered.
type Release struct {
	// Name is the name of the release, as in helm install NAME.
	Name string
	// Namespace is the namespace of its objects.
	Namespace string
	// IsUpgrade renders for helm upgrade instead of helm install.
	IsUpgrade bool
	// Controller renders TritonLeases for tms-server instead of values for Helm: the label
	// app.kubernetes.io/managed-by is ControllerName, and messages name keys of the spec.
	Controller bool
}

// ControllerName is the value of app.kubernetes.io/managed-by on the objects of a
// TritonLease.
const ControllerName = "tms-server"

// forChart returns the release as templates see it.
func (r Release) forChart() helmchart.Release {
	release := helmchart.Release{Name: r.Name, Namespace: r.Namespace, IsUpgrade: r.IsUpgrade}
	if r.Controller {
		release.Service = ControllerName
	}
	return release
}

// isObjectName reports whether objects of all kinds can have a name. Services have the
// strictest rule: a DNS label that begins with a letter.
func isObjectName(name string) bool { return len(validation.IsDNS1035Label(name)) == 0 }

// mustBeObjectName is the rule of isObjectName in messages.
const mustBeObjectName = "must be a DNS label of at most 63 characters that begins with a letter"

// validate refuses names that Helm or Kubernetes would refuse. The namespace becomes part
// of PromQL expressions.
func (r Release) validate() policy.Refusal {
	var reasons policy.Refusal
	if helmchart.ValidateReleaseName(r.Name) != nil {
		reasons = append(reasons, field.Invalid(field.NewPath("release name"), r.Name,
			"must be lower-case letters, digits, '-' and '.', at most 53 characters"))
	}
	if len(validation.IsDNS1123Label(r.Namespace)) > 0 {
		reasons = append(reasons, field.Invalid(field.NewPath("namespace"), r.Namespace,
			"must be a DNS label of at most 63 characters"))
	}
	return reasons
}

// fullname returns the prefix of the names of all objects. It is never truncated: two
// truncated names can collide.
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
