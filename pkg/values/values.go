// Package values holds the Go types of the chart's values: what a values file
// says, once merged with the chart's defaults and accepted by its schema. The
// JSON names are the keys of the file. A test holds these types and the schema
// to the same keys.
package values

import (
	"encoding/json"
	"fmt"
)

// Verbatim is a part that belongs to Kubernetes: it is handed on as it is, and
// judged by the API server that knows its version of it.
type Verbatim map[string]any

// Values are all values of the chart.
type Values struct {
	Images           Images           `json:"images"`
	Kubernetes       Kubernetes       `json:"kubernetes"`
	Server           Server           `json:"server"`
	Triton           Triton           `json:"triton"`
	Leases           map[string]Lease `json:"leases,omitempty"`
	NameOverride     string           `json:"nameOverride,omitempty"`
	FullnameOverride string           `json:"fullnameOverride,omitempty"`
	ExtraObjects     []Verbatim       `json:"extraObjects,omitempty"`
	// Enabled is for parent charts, which may name it as the condition of the dependency.
	Enabled bool `json:"enabled,omitempty"`
	// Global is what Helm passes to every subchart.
	Global Verbatim `json:"global,omitempty"`
}

// Images are the container images.
type Images struct {
	Triton string `json:"triton"`
	// Server is the image of tms-server.
	Server  string   `json:"server,omitempty"`
	Secrets []string `json:"secrets,omitempty"`

	// Keys of NVIDIA TMS that have no meaning here.
	Sidecar any `json:"sidecar,omitempty"`
	MongoDB any `json:"mongodb,omitempty"`
	REST    any `json:"rest,omitempty"`
}

// Kubernetes is what is put on every pod.
type Kubernetes struct {
	CustomAnnotations map[string]string `json:"customAnnotations,omitempty"`
	CustomLabels      map[string]string `json:"customLabels,omitempty"`
	PartOf            string            `json:"partOf,omitempty"`
}

// Decode returns the values of a map that the schema accepts.
func Decode(merged map[string]any) (*Values, error) { return decode[Values](merged) }

// DecodeLease returns the lease of a map that the schema accepts.
func DecodeLease(value map[string]any) (*Lease, error) { return decode[Lease](value) }

// Map returns the value of the lease as a values file would say it.
func (l *Lease) Map() (map[string]any, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode the lease: %w", err)
	}
	var value map[string]any
	return value, json.Unmarshal(text, &value)
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
