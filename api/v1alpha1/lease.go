package v1alpha1

import (
	"cmp"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// LeaseSpec is what one lease asks for, in the values (leases.<name>) and in the
// spec of a TritonLease. It has either Models, and then the chart deploys Triton,
// or a Target.
type LeaseSpec struct {
	// Models are loaded in this order, all or none.
	Models []Model `json:"models,omitzero"`
	// Target is an existing workload that the lease scales.
	Target *Target `json:"target,omitempty"`
	// Image is the Triton image. If it is empty, the lease gets images.triton.
	Image string `json:"image,omitempty"`
	// Triton overrides the top-level triton values key by key.
	Triton *Triton `json:"triton,omitempty"`
	// Service overrides the top-level service values key by key.
	Service     *Service    `json:"service,omitempty"`
	Autoscaling Autoscaling `json:"autoscaling,omitzero"`
}

// MaxModels and MaxMetrics are the most models and metrics that a lease may name, as in
// the schema of the chart.
const (
	MaxModels  = 100
	MaxMetrics = 64
)

// Model is a model and the repository that holds it.
type Model struct {
	// Name is the model's folder in the repository.
	Name string `json:"name"`
	// URI is the repository: a URI that Triton reads itself (s3://, gs://, as://),
	// https://<host>/<path>, oci://<image>[//<path>], pvc://<claim>[/<path>], an absolute path
	// in the image, or repo://<name>[/<path>] below a named repository.
	URI string `json:"uri"`
}

// Target is a workload that serves Triton and is deployed by other means.
type Target struct {
	// APIVersion and Kind default to apps/v1 and Deployment.
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Name       string `json:"name"`
	// Selector matches the labels of its pods.
	Selector map[string]string `json:"selector"`
	// MetricsPort is the name or the number of the container port that serves /metrics.
	MetricsPort *intstr.IntOrString `json:"metricsPort,omitempty"`
	// Container is the name of the Triton container, for cpuUtilization.
	Container string `json:"container,omitempty"`
}

// Workload identifies the target by API group, kind and name, such as
// "apps Deployment triton". The API version does not count.
func (t *Target) Workload() string { return t.groupKind() + " " + t.Name }

// IsDeployment reports whether the target is a Deployment.
func (t *Target) IsDeployment() bool { return t.groupKind() == "apps Deployment" }

func (t *Target) groupKind() string {
	kind := t.GroupVersionKind()
	return kind.Group + " " + kind.Kind
}

// GroupVersionKind returns the kind of the target. It defaults to that of a Deployment.
func (t *Target) GroupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(cmp.Or(t.APIVersion, "apps/v1"), cmp.Or(t.Kind, "Deployment"))
}

// Map returns the spec as a values file would hold it.
func (s *LeaseSpec) Map() (map[string]any, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the lease: %w", err)
	}
	var value map[string]any
	return value, json.Unmarshal(text, &value)
}
