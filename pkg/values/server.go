package values

import "github.com/triton-leases/tms/pkg/policy"

// Server is the administrator's configuration, and how tms-server runs.
type Server struct {
	Autoscaling policy.Config `json:"autoscaling"`
	// Leases is how long leases at run time last.
	Leases policy.TermConfig `json:"leases"`
	// Allowlist are images of Triton that leases may name, beside Images.Triton.
	Allowlist []string `json:"allowlist,omitempty"`

	// Enabled installs tms-server.
	Enabled  bool  `json:"enabled"`
	CRD      CRD   `json:"crd"`
	Replicas int64 `json:"replicas"`
	// Namespaces are those that tms-server looks after; none means all.
	Namespaces         []string          `json:"namespaces,omitempty"`
	LogLevel           string            `json:"logLevel,omitempty"`
	Metrics            ServerMetrics     `json:"metrics"`
	NetworkPolicy      NetworkPolicy     `json:"networkPolicy"`
	Resources          Resources         `json:"resources,omitzero"`
	PodSecurityContext Verbatim          `json:"podSecurityContext,omitempty"`
	NodeSelector       map[string]string `json:"nodeSelector,omitempty"`
	Tolerations        []Verbatim        `json:"tolerations,omitempty"`
	Affinity           Verbatim          `json:"affinity,omitempty"`
	PriorityClassName  string            `json:"priorityClassName,omitempty"`

	// Keys of NVIDIA TMS that have no meaning here.
	APIService        any `json:"apiService,omitempty"`
	ModelRepositories any `json:"modelRepositories,omitempty"`
}

// CRD is what a cluster has once of all installations.
type CRD struct {
	Enabled bool `json:"enabled"`
}

// ServerMetrics are the metrics of tms-server itself.
type ServerMetrics struct {
	Enabled bool `json:"enabled"`

	// Keys of NVIDIA TMS that have no meaning here.
	ReportingWindow   any `json:"reportingWindow,omitempty"`
	MinimumVisibility any `json:"minimumVisibility,omitempty"`
}

// NetworkPolicy says who may reach the pods of tms-server.
type NetworkPolicy struct {
	Enabled bool `json:"enabled"`
}

// AllowedImages are those that a lease may have.
func (v *Values) AllowedImages() policy.Allowlist {
	return append(policy.Allowlist{v.Images.Triton}, v.Server.Allowlist...)
}
