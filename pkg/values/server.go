package values

import (
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// Server is the administrator's configuration, and how tms-server runs.
type Server struct {
	Autoscaling policy.Config `json:"autoscaling"`
	// Leases are the bounds of TritonLeases.
	Leases policy.LeaseConfig `json:"leases"`
	// Allowlist are Triton images that leases may name, besides Images.Triton.
	Allowlist []string `json:"allowlist,omitempty"`

	// Enabled installs tms-server.
	Enabled  bool  `json:"enabled"`
	CRD      CRD   `json:"crd"`
	Replicas int64 `json:"replicas"`
	// Namespaces are those in which tms-server reconciles leases; none means all.
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
	PodAnnotations     map[string]string  `json:"podAnnotations,omitempty"`
	PodLabels          map[string]string  `json:"podLabels,omitempty"`
	ExtraArgs          []string           `json:"extraArgs,omitempty"`
	ExtraEnv           []v1alpha1.Env     `json:"extraEnv,omitempty"`
	APIService         APIService         `json:"apiService"`
	AdmissionPolicy    AdmissionPolicy    `json:"admissionPolicy"`
	FlowSchema         FlowSchema         `json:"flowSchema"`

	ModelRepositories policy.ModelRepositories `json:"modelRepositories"`
	ModelDownloads    ModelDownloads           `json:"modelDownloads"`
}

// ModelDownloads configure the init container that downloads https:// models.
type ModelDownloads struct {
	// SizeLimit is a quantity of bytes, and MaximumFiles a number of files, of all models of a
	// lease together.
	SizeLimit    v1alpha1.RawJSON   `json:"sizeLimit,omitempty"`
	MaximumFiles int64              `json:"maximumFiles,omitempty"`
	Resources    v1alpha1.Resources `json:"resources,omitzero"`
}

// APIService is how tms-server serves the lease API.
type APIService struct {
	Enabled bool `json:"enabled"`
	// Type and Port are those of the Service.
	Type        string            `json:"type,omitempty"`
	Port        int64             `json:"port,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	TLS         APITLS            `json:"tls"`
	// AcquireTimeout is the longest time that a call of Acquire waits.
	AcquireTimeout v1alpha1.Duration `json:"acquireTimeout,omitempty"`
	CallsPerSecond int64             `json:"callsPerSecond,omitempty"`
	OpenCalls      OpenCalls         `json:"openCalls"`
	Connections    Connections       `json:"connections"`
	// TokenAudiences are the audiences of tokens; none means the API server's own.
	TokenAudiences []string    `json:"tokenAudiences,omitempty"`
	ClusterRole    ClusterRole `json:"clusterRole"`
}

// OpenCalls limit the calls that are open at once in one replica.
type OpenCalls struct {
	PerUser int64 `json:"perUser,omitempty"`
	Maximum int64 `json:"maximum,omitempty"`
}

// Connections limit the connections that are open at once in one replica.
type Connections struct {
	PerAddress int64 `json:"perAddress,omitempty"`
	Maximum    int64 `json:"maximum,omitempty"`
}

// AdmissionPolicy configures the ValidatingAdmissionPolicies.
type AdmissionPolicy struct {
	Enabled bool `json:"enabled"`
}

// FlowSchema configures the FlowSchema of the leader election.
type FlowSchema struct {
	Enabled bool `json:"enabled"`
}

// APITLS is the source of the certificate of the API: exactly one of its fields.
type APITLS struct {
	// Enabled turns TLS off if it is false. If it is nil, TLS is on.
	Enabled     *bool       `json:"enabled,omitempty"`
	SecretName  string      `json:"secretName,omitempty"`
	CertManager CertManager `json:"certManager"`
}

// CertManager describes a Certificate of cert-manager. There is one if the issuer has a
// name.
type CertManager struct {
	IssuerRef IssuerRef `json:"issuerRef"`
	DNSNames  []string  `json:"dnsNames,omitempty"`
}

// IssuerRef is the cert-manager issuer that signs the Certificate.
type IssuerRef struct {
	Name  string `json:"name,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Group string `json:"group,omitempty"`
}

// ClusterRole configures the ClusterRole with which tms-server authenticates and authorizes
// callers.
type ClusterRole struct {
	Enabled bool `json:"enabled"`
}

// CRD configures the CustomResourceDefinition, and the ClusterRoles that all installations
// in a cluster share.
type CRD struct {
	Enabled bool `json:"enabled"`
}

// ServerMetrics are the metrics of tms-server itself.
type ServerMetrics struct {
	Enabled bool `json:"enabled"`

	// Keys of NVIDIA TMS that have no effect.
	ReportingWindow   any `json:"reportingWindow,omitempty"`
	MinimumVisibility any `json:"minimumVisibility,omitempty"`
}

// NetworkPolicy restricts the traffic to the pods of tms-server.
type NetworkPolicy struct {
	Enabled bool `json:"enabled"`
}

// AllowedImages returns the Triton images that leases may have, the default first.
func (v *Values) AllowedImages() policy.Allowlist {
	return append(policy.Allowlist{v.Images.Triton}, v.Server.Allowlist...)
}
