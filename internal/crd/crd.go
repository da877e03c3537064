// Package crd generates the CustomResourceDefinition of TritonLease from skeleton.yaml
// and the definition of a lease in the schema of the chart's values.
package crd

import (
	_ "embed"
	"encoding/json"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

//go:embed skeleton.yaml
var skeleton []byte

// New returns the definition. valuesSchema is the text of values.schema.json, which defines
// the spec of a lease. New returns an error if that uses a keyword that it cannot translate.
func New(valuesSchema []byte) (*apiextensionsv1.CustomResourceDefinition, error) {
	definition := new(apiextensionsv1.CustomResourceDefinition)
	if err := yaml.UnmarshalStrict(skeleton, definition); err != nil {
		return nil, fmt.Errorf("read skeleton.yaml: %w", err)
	}
	var document struct {
		Definitions map[string]*keywords `json:"definitions"`
	}
	if err := json.Unmarshal(valuesSchema, &document); err != nil {
		return nil, fmt.Errorf("read values.schema.json: %w", err)
	}
	t := translator{definitions: document.Definitions}
	lease := t.translate("spec", t.definitions["lease"])
	spec := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	for name, property := range spec.Properties {
		if name == "duration" {
			property = t.translate("spec.duration", &keywords{Ref: "#/definitions/duration", Description: property.Description})
		}
		lease.Properties[name] = property
	}
	definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"] = lease
	return definition, t.err
}

// YAML returns the definition as a manifest, without a status.
func YAML(definition *apiextensionsv1.CustomResourceDefinition) ([]byte, error) {
	text, err := yaml.Marshal(struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Metadata   metadata `json:"metadata"`
		Spec       any      `json:"spec"`
	}{definition.APIVersion, definition.Kind, metadata{definition.Name, definition.Annotations}, definition.Spec})
	if err != nil {
		return nil, fmt.Errorf("write the definition: %w", err)
	}
	return text, nil
}

type metadata struct {
	Name        string            `json:"name"`
	Annotations map[string]string `json:"annotations,omitempty"`
}
