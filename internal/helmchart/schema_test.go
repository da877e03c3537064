package helmchart_test

import (
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/anyvalues"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/schema"
)

// TestSchemaDecidesAsHelm holds our validator of the schema to Helm's own: both
// accept, or both refuse, every input of the tests, and some hundreds of values
// that were broken at a random place.
func TestSchemaDecidesAsHelm(t *testing.T) {
	text, err := fs.ReadFile(charts.TMS(), "values.schema.json")
	require.NoError(t, err)
	compiled, err := schema.Compile(text)
	require.NoError(t, err)
	chart, err := helmchart.Load(charts.TMS())
	require.NoError(t, err)

	accepted, refused := 0, 0
	agree := func(values map[string]any) {
		merged, err := chart.Coalesce(values)
		require.NoError(t, err)
		helms := chartutil.ValidateAgainstSingleSchema(merged, text)
		invalid := compiled.Validate(merged)
		if helms == nil {
			accepted++
			require.Empty(t, invalid, "Helm accepts\n%s", asYAML(values))
			return
		}
		refused++
		require.NotEmpty(t, invalid, "Helm refuses\n%s\n%v", asYAML(values), helms)
		for _, reason := range invalid {
			require.NotEmpty(t, reason.Field, "%v", reason)
		}
	}
	for _, values := range inputs(t) {
		agree(values)
		random := rand.New(rand.NewPCG(3, 4))
		for range 10 {
			broken := clone(t, values)
			breakSomewhere(random, broken)
			agree(broken)
		}
	}
	require.Greater(t, accepted, 80)
	require.Greater(t, refused, 300)
}

// inputs returns the values of all files of the tests, and some random ones.
func inputs(t *testing.T) []map[string]any {
	var all []map[string]any
	for _, pattern := range []string{"../../charts/tms/ci/*.yaml", "../../examples/*.yaml", "../../testdata/refused/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var values map[string]any
			require.NoError(t, yaml.Unmarshal(text, &values))
			all = append(all, values)
		}
	}
	require.NotEmpty(t, all)
	random := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		data := make([]byte, 150)
		for i := range data {
			data[i] = byte(random.UintN(256))
		}
		text, _ := anyvalues.YAML(data)
		var values map[string]any
		require.NoError(t, yaml.Unmarshal(text, &values))
		all = append(all, values)
	}
	return all
}

// breakSomewhere puts something else in a random place of an object.
func breakSomewhere(random *rand.Rand, object map[string]any) {
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
			breakSomewhere(random, inner)
			return
		case []any:
			if len(inner) > 0 {
				i := random.IntN(len(inner))
				if item, ok := inner[i].(map[string]any); ok {
					breakSomewhere(random, item)
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

func clone(t *testing.T, values map[string]any) map[string]any {
	text, err := json.Marshal(values)
	require.NoError(t, err)
	copied := map[string]any{}
	require.NoError(t, json.Unmarshal(text, &copied))
	return copied
}

func asYAML(values map[string]any) string {
	text, _ := yaml.Marshal(values)
	return string(text)
}
