package values

import (
	"cmp"
	"strings"

	"github.com/triton-leases/tms/pkg/policy"
)

// Lease is a Triton, or several replicas of it, serving a set of models. It has
// Models (we run Triton) or Target (somebody else does), never both.
type Lease struct {
	// Models are loaded in this order.
	Models []Model `json:"models,omitzero"`
	Target *Target `json:"target,omitempty"`
	// Image is that of the Triton, where it is not Images.Triton.
	Image string `json:"image,omitempty"`
	// Triton overrides the top-level triton key by key.
	Triton      *Triton        `json:"triton,omitempty"`
	Autoscaling policy.Request `json:"autoscaling,omitzero"`
}

// Model is a model and the repository that holds it.
type Model struct {
	Name string `json:"name"`
	// URI is what Triton reads itself (s3://, gs://, as://), pvc://<claim>[/<path>],
	// or an absolute path in the image.
	URI string `json:"uri"`
}

// Workload names what the target is by group, kind and name, whatever its version: no
// two autoscaled leases may have the same.
func (t *Target) Workload() string { return t.kind() + " " + t.Name }

// IsDeployment says whether the target is one.
func (t *Target) IsDeployment() bool { return t.kind() == "apps Deployment" }

func (t *Target) kind() string {
	group, _, grouped := strings.Cut(cmp.Or(t.APIVersion, "apps/v1"), "/")
	if !grouped {
		group = "" // that of pods and Services
	}
	return group + " " + cmp.Or(t.Kind, "Deployment")
}

// Target is a workload that somebody else deploys.
type Target struct {
	APIVersion  string            `json:"apiVersion,omitempty"`
	Kind        string            `json:"kind,omitempty"`
	Name        string            `json:"name"`
	Selector    map[string]string `json:"selector"`
	MetricsPort string            `json:"metricsPort,omitempty"`
	Container   string            `json:"container,omitempty"`
}
