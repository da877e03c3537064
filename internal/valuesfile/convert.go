package valuesfile

import (
	"math"
	"unicode/utf8"

	yamlv2 "go.yaml.in/yaml/v2"
)

// converter converts the values of the YAML parser to the types that encoding/json
// decodes to. For Helm, sigs.k8s.io/yaml does the same by way of JSON text.
type converter struct {
	// suspicious is true if a key is not a string or is a duplicate, if a text is not UTF-8,
	// or if a number is not finite.
	suspicious bool
}

func (c *converter) object(items yamlv2.MapSlice) map[string]any {
	object := make(map[string]any, len(items))
	for _, item := range items {
		key, isString := item.Key.(string)
		c.suspicious = c.suspicious || !isString || !utf8.ValidString(key)
		object[key] = c.value(item.Value)
	}
	if len(object) < len(items) {
		c.suspicious = true
	}
	return object
}

func (c *converter) value(value any) any {
	switch value := value.(type) {
	case yamlv2.MapSlice:
		return c.object(value)
	case []any:
		for i, item := range value {
			value[i] = c.value(item)
		}
		return value
	case int:
		return float64(value)
	case int64:
		return float64(value)
	case uint64:
		return float64(value)
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			c.suspicious = true
		}
		return value
	case string:
		if !utf8.ValidString(value) { // !!binary
			c.suspicious = true
		}
		return value
	default:
		return value // a boolean or nil
	}
}
