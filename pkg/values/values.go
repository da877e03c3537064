// Package values defines the Go types of the chart's values, as they are after the merge
// with the chart's defaults. The JSON names are the keys of a values file. A test
// compares the keys of these types with those of the schema.
package values

import (
	"encoding/json"
	"fmt"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Values are all values of the chart.
type Values struct {
	Images           Images                        `json:"images"`
	Kubernetes       Kubernetes                    `json:"kubernetes"`
	Server           Server                        `json:"server"`
	Triton           v1alpha1.Triton               `json:"triton"`
	Service          v1alpha1.Service              `json:"service"`
	Routes           Routes                        `json:"routes"`
	ServiceAccount   ServiceAccount                `json:"serviceAccount"`
	NetworkPolicy    TritonNetworkPolicy           `json:"networkPolicy"`
	Metrics          Metrics                       `json:"metrics"`
	Dashboards       Dashboards                    `json:"dashboards"`
	CommonLabels     map[string]string             `json:"commonLabels,omitempty"`
	Leases           map[string]v1alpha1.LeaseSpec `json:"leases,omitempty"`
	NameOverride     string                        `json:"nameOverride,omitempty"`
	FullnameOverride string                        `json:"fullnameOverride,omitempty"`
	ExtraObjects     []v1alpha1.RawJSON            `json:"extraObjects,omitempty"`
	// Enabled is for parent charts, which can name it as the condition of the dependency.
	Enabled bool `json:"enabled,omitempty"`
	// Global is what Helm passes to every subchart.
	Global v1alpha1.RawJSON `json:"global,omitempty"`
}

// Images are the container images.
type Images struct {
	Triton string `json:"triton"`
	// Server is the image of tms-server.
	Server  string   `json:"server,omitempty"`
	Secrets []string `json:"secrets,omitempty"`
	// PullPolicy is the default of all containers. Empty means the default of Kubernetes.
	PullPolicy string `json:"pullPolicy,omitempty"`

	// Keys of NVIDIA TMS that have no effect.
	Sidecar any `json:"sidecar,omitempty"`
	MongoDB any `json:"mongodb,omitempty"`
	REST    any `json:"rest,omitempty"`
}

// Kubernetes are the labels and annotations of all pods.
type Kubernetes struct {
	CustomAnnotations map[string]string `json:"customAnnotations,omitempty"`
	CustomLabels      map[string]string `json:"customLabels,omitempty"`
	PartOf            string            `json:"partOf,omitempty"`
}

// ServiceAccount is the ServiceAccount of the Tritons of leases in the values.
type ServiceAccount struct {
	Create      bool              `json:"create"`
	Name        string            `json:"name,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Routes are Gateway API routes to every lease.
type Routes struct {
	// ParentRefs are Gateways, as in an HTTPRoute; none means no routes.
	ParentRefs []v1alpha1.RawJSON `json:"parentRefs,omitempty"`
	Domain     string             `json:"domain,omitempty"`
}

// TritonNetworkPolicy restricts the traffic to the pods of leases.
type TritonNetworkPolicy struct {
	Enabled bool `json:"enabled"`
	// From are the peers that reach Triton, as in a NetworkPolicy; none means all pods.
	From []v1alpha1.RawJSON `json:"from,omitempty"`
}

// Metrics are the metrics of leases that do not scale.
type Metrics struct {
	Enabled bool `json:"enabled"`
}

// Dashboards are the Grafana dashboards of leases and of tms-server.
type Dashboards struct {
	Enabled bool `json:"enabled"`
	// Namespace is that of the ConfigMaps. Empty means that of the release.
	Namespace string `json:"namespace,omitempty"`
	// Labels and Annotations are on the ConfigMaps.
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// GrafanaURL is the URL of Grafana, for the links of alerts.
	GrafanaURL      string          `json:"grafanaUrl,omitempty"`
	GrafanaOperator GrafanaOperator `json:"grafanaOperator"`
}

// GrafanaOperator configures the GrafanaDashboards of grafana-operator.
type GrafanaOperator struct {
	Enabled                   bool             `json:"enabled"`
	InstanceSelector          v1alpha1.RawJSON `json:"instanceSelector,omitempty"`
	AllowCrossNamespaceImport bool             `json:"allowCrossNamespaceImport,omitempty"`
	Folder                    string           `json:"folder,omitempty"`
}

// Decode decodes values that the schema accepts.
func Decode(merged map[string]any) (*Values, error) { return decode[Values](merged) }

// DecodeLease decodes a lease that the schema accepts.
func DecodeLease(value map[string]any) (*v1alpha1.LeaseSpec, error) {
	return decode[v1alpha1.LeaseSpec](value)
}

func decode[T any](value map[string]any) (*T, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the values: %w", err)
	}
	decoded := new(T)
	if err := json.Unmarshal(text, decoded); err != nil {
		return nil, fmt.Errorf("decode the values: %w", err)
	}
	return decoded, nil
}
