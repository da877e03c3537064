package charts_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/charts"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(charts.TMS(), "Chart.yaml")
	require.NoError(t, err)
	var chart struct{ Version, AppVersion string }
	require.NoError(t, yaml.Unmarshal(text, &chart))
	require.Equal(t, chart.Version, charts.Version())
	require.Equal(t, chart.Version, chart.AppVersion, "the chart and the commands have one version")
}

// TestVersionInDocuments finds examples of another version: a copy of them would install an
// image or a chart that does not belong to this commit.
func TestVersionInDocuments(t *testing.T) {
	t.Parallel()
	example := regexp.MustCompile(`(?m)(?:registry\.example\.com/(?:[a-z/-]+/)?(?:tms|tms-server):|name: tms\n +version: |--version |^version=)v?([0-9]+\.[0-9]+\.[0-9]+)`)
	found := 0
	for _, pattern := range []string{"../README.md", "../docs/*.md", "../examples/*.yaml", "tms/README.md"} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, match := range example.FindAllStringSubmatch(string(text), -1) {
				found++
				require.Equal(t, charts.Version(), match[1], "%s: %s", path, match[0])
			}
		}
	}
	require.Greater(t, found, 2, "the pattern finds the examples")
}
