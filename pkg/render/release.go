package render

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/pkg/policy"
)

// Release is the installation that is rendered.
type Release struct {
	// Name is the name of the release, as in helm install NAME.
	Name string
	// Namespace is where its objects live.
	Namespace string
	// IsUpgrade renders for helm upgrade instead of helm install.
	IsUpgrade bool
	// Controller says that the leases are TritonLeases, which tms-server looks after,
	// and not values, which Helm installs: app.kubernetes.io/managed-by says so, and
	// what is said of a lease names keys of its spec.
	Controller bool
}

// ControllerName is what app.kubernetes.io/managed-by says of the objects of a
// TritonLease.
const ControllerName = "tms-server"

// forChart returns what templates can know of the release.
func (r Release) forChart() helmchart.Release {
	release := helmchart.Release{Name: r.Name, Namespace: r.Namespace, IsUpgrade: r.IsUpgrade, Service: "Helm"}
	if r.Controller {
		release.Service = ControllerName
	}
	return release
}

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// validate refuses names that no cluster would take. The namespace stands in
// PromQL, so it must be one.
func (r Release) validate() policy.Refusal {
	var reasons policy.Refusal
	if helmchart.ValidateReleaseName(r.Name) != nil {
		reasons = append(reasons, field.Invalid(field.NewPath("release name"), r.Name,
			"must be lower-case letters, digits, '-' and '.', at most 53 characters"))
	}
	if !dnsLabel.MatchString(r.Namespace) {
		reasons = append(reasons, field.Invalid(field.NewPath("namespace"), r.Namespace,
			"must be a DNS label of at most 63 characters"))
	}
	return reasons
}
