// Package generic handles values as encoding/json makes them of any text: maps,
// lists, texts, numbers, booleans and nothing.
package generic

import (
	"maps"
	"slices"
)

// Is says whether a value is made of what encoding/json makes of any text,
// and integers.
func Is(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			if !Is(inner) {
				return false
			}
		}
		return true
	case []any:
		return !slices.ContainsFunc(value, func(inner any) bool { return !Is(inner) })
	case nil, bool, string, float64, int64:
		return true
	default:
		return false
	}
}

// Clone returns a value that shares no map and no list with another.
func Clone(value any) any {
	switch value := value.(type) {
	case map[string]any:
		copied := make(map[string]any, len(value))
		for key, inner := range value {
			copied[key] = Clone(inner)
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, inner := range value {
			copied[i] = Clone(inner)
		}
		return copied
	default:
		return value
	}
}

// Merge lays one map over another as helm does with several -f: objects are
// merged, everything else is replaced. Neither is changed.
func Merge(below, above map[string]any) map[string]any {
	merged := make(map[string]any, len(below)+len(above))
	maps.Copy(merged, below)
	for key, value := range above {
		under, _ := merged[key].(map[string]any)
		if over, isObject := value.(map[string]any); isObject && under != nil {
			value = Merge(under, over)
		}
		merged[key] = value
	}
	return merged
}

// Pointer returns a pointer to a copy of what another points to.
func Pointer[T any](value *T) *T {
	if value == nil {
		return nil
	}
	return new(*value)
}
