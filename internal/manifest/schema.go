package manifest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/triton-leases/tms/internal/schema"
)

//go:embed envelope.json
var envelope []byte

// NewSchema returns the schema of TritonLeases: what is around a lease, and in it
// the shape of a lease, whose home is values.schema.json.
func NewSchema(valuesSchema []byte) (*schema.Schema, error) {
	var values, whole map[string]any
	if err := json.Unmarshal(valuesSchema, &values); err != nil {
		return nil, fmt.Errorf("read values.schema.json: %w", err)
	}
	if err := json.Unmarshal(envelope, &whole); err != nil {
		return nil, fmt.Errorf("read envelope.json: %w", err)
	}
	definitions := part(values, "definitions")
	whole["definitions"] = definitions
	spec := maps.Clone(part(definitions, "lease"))
	around := part(whole, "properties", "spec")
	properties := maps.Clone(part(spec, "properties"))
	maps.Copy(properties, part(around, "properties"))
	maps.Copy(spec, around)
	spec["properties"] = properties
	part(whole, "properties")["spec"] = spec
	text, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("write the schema of TritonLeases: %w", err)
	}
	return schema.CompileOwn(text)
}

func part(of map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		of, _ = of[key].(map[string]any)
	}
	return of
}
