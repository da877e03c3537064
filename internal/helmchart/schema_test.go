package helmchart_test

import (
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/schema"
	"github.com/triton-leases/tms/internal/testing/randvalues"
)

// TestSchemaDecidesAsHelm checks that package schema and Helm's validator accept and
// refuse the same values: the inputs of the tests, and copies of them that are broken at
// random.
func TestSchemaDecidesAsHelm(t *testing.T) {
	t.Parallel()
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
		for range 3 {
			broken := clone(t, values)
			randvalues.Break(random, broken)
			agree(broken)
		}
	}
	require.Greater(t, accepted, 40)
	require.Greater(t, refused, 80)
}

// inputs returns the values of all files of the tests, and random values.
func inputs(t *testing.T) []map[string]any {
	t.Helper()
	corpus, err := randvalues.Corpus("../..", 15)
	require.NoError(t, err)
	all := make([]map[string]any, len(corpus))
	for i, text := range corpus {
		require.NoError(t, yaml.Unmarshal(text, &all[i]))
	}
	return all
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
