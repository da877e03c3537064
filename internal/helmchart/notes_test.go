package helmchart_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/testing/golden"
)

// TestNotes compares the NOTES.txt that helm install prints with golden files.
func TestNotes(t *testing.T) {
	t.Parallel()
	chart, err := helmchart.Load(charts.TMS())
	require.NoError(t, err)
	for _, name := range []string{"default", "clamped", "switched-off", "server", "server-namespaces", "server-api"} {
		text, err := os.ReadFile("../../charts/tms/ci/" + name + "-values.yaml")
		require.NoError(t, err)
		var values map[string]any
		require.NoError(t, yaml.Unmarshal(text, &values))
		merged, err := chart.Coalesce(values)
		require.NoError(t, err)
		rendered, err := chart.Render(helmchart.Release{Name: "tms", Namespace: "inference"}, merged)
		require.NoError(t, err)
		golden.Equal(t, "testdata/notes-"+name+".txt", rendered["tms/templates/NOTES.txt"])
	}
}
