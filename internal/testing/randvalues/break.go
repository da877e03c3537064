package randvalues

import (
	"math/rand/v2"
	"slices"
)

// Break replaces, adds or removes a value at a random place. It changes the map.
func Break(random *rand.Rand, object map[string]any) {
	others := []any{
		nil, true, false, "", "text", "5", -1.0, 0.0, 1.5, 1e30, 9007199254740993.0,
		[]any{},
		[]any{"x"},
		map[string]any{},
		map[string]any{"unknown": 1.0},
	}
	other := others[random.IntN(len(others))]
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if len(keys) == 0 || random.IntN(12) == 0 {
		object["unknown"] = other
		return
	}
	key := keys[random.IntN(len(keys))]
	if random.IntN(6) > 0 {
		switch inner := object[key].(type) {
		case map[string]any:
			Break(random, inner)
			return
		case []any:
			if len(inner) > 0 {
				i := random.IntN(len(inner))
				if item, ok := inner[i].(map[string]any); ok {
					Break(random, item)
				} else {
					inner[i] = other
				}
				return
			}
		}
	}
	if random.IntN(8) == 0 {
		delete(object, key)
		return
	}
	object[key] = other
}
