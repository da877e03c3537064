package preview

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/triton-leases/tms/internal/schema"
)

//go:embed envelope.json
var envelope []byte

// newSchema returns the schema of TritonLeases: envelope.json, with the definition of a
// lease from values.schema.json as its spec.
func newSchema(valuesSchema []byte) (*schema.Schema, error) {
	var values, whole map[string]any
	if err := json.Unmarshal(valuesSchema, &values); err != nil {
		return nil, fmt.Errorf("read values.schema.json: %w", err)
	}
	if err := json.Unmarshal(envelope, &whole); err != nil {
		return nil, fmt.Errorf("read envelope.json: %w", err)
	}
	definitions := subMap(values, "definitions")
	whole["definitions"] = definitions
	spec := maps.Clone(subMap(definitions, "lease"))
	around := subMap(whole, "properties", "spec")
	properties := maps.Clone(subMap(spec, "properties"))
	maps.Copy(properties, subMap(around, "properties"))
	maps.Copy(spec, around)
	spec["properties"] = properties
	subMap(whole, "properties")["spec"] = spec
	text, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("write the schema of TritonLeases: %w", err)
	}
	return schema.Compile(text)
}

func subMap(of map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		of, _ = of[key].(map[string]any)
	}
	return of
}
