package values

import (
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

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
	Namespaces         []string           `json:"namespaces,omitempty"`
	LogLevel           string             `json:"logLevel,omitempty"`
	Metrics            ServerMetrics      `json:"metrics"`
	NetworkPolicy      NetworkPolicy      `json:"networkPolicy"`
	Resources          v1alpha1.Resources `json:"resources,omitzero"`
	PodSecurityContext v1alpha1.RawJSON   `json:"podSecurityContext,omitempty"`
	NodeSelector       map[string]string  `json:"nodeSelector,omitempty"`
	Tolerations        []v1alpha1.RawJSON `json:"tolerations,omitempty"`
	Affinity           v1alpha1.RawJSON   `json:"affinity,omitempty"`
	PriorityClassName  string             `json:"priorityClassName,omitempty"`
	APIService         APIService         `json:"apiService"`

	// Keys of NVIDIA TMS that have no meaning here.
	ModelRepositories any `json:"modelRepositories,omitempty"`
}

// APIService is how tms-server serves the API of leases.
type APIService struct {
	Enabled bool `json:"enabled"`
	// Type and Port are those of the Service.
	Type        string            `json:"type,omitempty"`
	Port        int64             `json:"port,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	TLS         APITLS            `json:"tls"`
	// AcquireTimeout is how long a caller may wait for a lease.
	AcquireTimeout v1alpha1.Duration `json:"acquireTimeout,omitempty"`
	CallsPerSecond int64             `json:"callsPerSecond,omitempty"`
	ClusterRole    ClusterRole       `json:"clusterRole"`
}

// APITLS says where the certificate of the API comes from.
type APITLS struct {
	// Enabled is nil where the default was removed: only who says false has no TLS.
	Enabled     *bool       `json:"enabled,omitempty"`
	SecretName  string      `json:"secretName,omitempty"`
	CertManager CertManager `json:"certManager"`
}

// CertManager is what a Certificate of cert-manager is made of, where the issuer
// has a name.
type CertManager struct {
	IssuerRef IssuerRef `json:"issuerRef"`
	DNSNames  []string  `json:"dnsNames,omitempty"`
}

// IssuerRef names who signs a Certificate.
type IssuerRef struct {
	Name  string `json:"name,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Group string `json:"group,omitempty"`
}

// ClusterRole is the right to ask who calls, which counts in the whole cluster.
type ClusterRole struct {
	Enabled bool `json:"enabled"`
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
