//go:build conform

package conform

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// helm runs helm template on the chart.
func helm(version string, t testing.TB, r render.Release, values []byte) (stdout string, err error) {
	t.Helper()
	stdout, stderr, err := run(values, tool(t, version), "template", r.Name, chart, "--namespace", r.Namespace, "--values", "-")
	if err != nil {
		return "", fmt.Errorf("%s", stderr)
	}
	return stdout, nil
}

// blankLines matches the separator of documents. Helm 4 writes blank lines before it.
var blankLines = regexp.MustCompile(`\n+---\n`)

// documents returns a text without the blank lines between documents.
func documents(text string) string {
	return strings.TrimSpace(blankLines.ReplaceAllString("\n"+text, "\n---\n"))
}

// TestHelmPrintsTheSame checks that Helm 3, Helm 4, the library and tms-render give the
// same manifests.
func TestHelmPrintsTheSame(t *testing.T) {
	for _, file := range accepted(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			values := read(t, file)
			library := ours(t, release, values)
			helm3, err := helm("helm3", t, release, values)
			require.NoError(t, err)
			golden.Same(t, helm3, library, "helm 3 and the library differ")
			helm4, err := helm("helm4", t, release, values)
			require.NoError(t, err)
			golden.Same(t, documents(helm3), documents(helm4), "helm 3 and helm 4 differ")
			cli, _, err := run(values, tool(t, "tms-render"), "-f", "-", "-n", release.Namespace)
			require.NoError(t, err)
			golden.Same(t, helm3, cli, "helm 3 and tms-render differ")
		})
	}
}

// TestHelmAgreesOnAnyValues checks with random values that both Helms and the
// library render the same text, or refuse the values with the same messages.
func TestHelmAgreesOnAnyValues(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	rendered, refused := 0, 0
	for range 150 {
		data := make([]byte, 20+random.IntN(200))
		for i := range data {
			data[i] = byte(random.UintN(256))
		}
		values, name := randvalues.YAML(data)
		r := render.Release{Name: name, Namespace: "ns"}
		result, err := renderer(t).Render(r, values)
		helm3, err3 := helm("helm3", t, r, values)
		helm4, err4 := helm("helm4", t, r, values)
		if inGoOnly(err) { // Helm leaves it to the API server
			require.NoError(t, err3, "values:\n%s", values)
			require.NoError(t, err4, "values:\n%s", values)
			continue
		}
		if err != nil {
			refused++
			require.ErrorContains(t, err3, err.Error(), "values:\n%s", values)
			require.ErrorContains(t, err4, err.Error(), "values:\n%s", values)
			continue
		}
		rendered++
		require.NoError(t, err3, "values:\n%s", values)
		require.NoError(t, err4, "values:\n%s", values)
		golden.Same(t, helm3, text(t, result), "values:\n"+string(values))
		golden.Same(t, documents(helm3), documents(helm4), "values:\n"+string(values))
	}
	require.Greater(t, rendered, 40)
	require.Greater(t, refused, 20)
}

// inGoOnly reports whether all reasons of a refusal are rules that the chart does not have.
func inGoOnly(err error) bool {
	reasons := policy.Reasons(err)
	return len(reasons) > 0 && !slices.ContainsFunc(reasons, func(r *field.Error) bool { return r.Origin == "" })
}

// TestTenThousandLeases checks that tms-render and Helm 3 render the same text for a large
// fleet in one file.
func TestTenThousandLeases(t *testing.T) {
	t.Parallel()
	var values strings.Builder
	values.WriteString("leases:\n")
	for i := range 10_000 {
		fmt.Fprintf(&values, "  lease-%05d: {models: [{name: m, uri: /models}]}\n", i)
	}
	wanted, err := helm("helm3", t, release, []byte(values.String()))
	require.NoError(t, err)
	got, stderr, err := run([]byte(values.String()), tool(t, "tms-render"), "-f", "-", "-n", release.Namespace)
	require.NoError(t, err, stderr)
	require.Equal(t, 10_000, strings.Count(got, "\nkind: Deployment\n"))
	golden.Same(t, wanted, got, "helm 3 and tms-render differ")
}

// TestHelmRefuses checks that both Helms refuse the values that the library refuses.
func TestHelmRefuses(t *testing.T) {
	for _, file := range glob(t, project+"/testdata/refused/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			for _, version := range []string{"helm3", "helm4"} {
				_, err := helm(version, t, release, read(t, file))
				require.Error(t, err, version)
			}
		})
	}
}

// TestHelmLint checks that helm lint --strict of both Helms accepts each of the values.
func TestHelmLint(t *testing.T) {
	for _, version := range []string{"helm3", "helm4"} {
		for _, file := range accepted(t) {
			stdout, stderr, err := run(nil, tool(t, version), "lint", "--strict", chart, "--values", file)
			require.NoError(t, err, "%s %s: %s %s", version, file, stdout, stderr)
		}
	}
}

// TestSubchart checks that the chart works as a dependency, with and without its condition.
func TestSubchart(t *testing.T) {
	parent := t.TempDir()
	write(t, parent, "Chart.yaml", "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n  - {name: tms, version: 0.x.x, condition: tms.enabled}\n")
	write(t, parent, "values.yaml", "global: {team: vision}\ntms:\n  enabled: true\n  leases: {a: {models: [{name: m, uri: /models}]}}\n")
	require.NoError(t, os.CopyFS(filepath.Join(parent, "charts", "tms"), os.DirFS(chart)))
	for _, version := range []string{"helm3", "helm4"} {
		stdout, stderr, err := run(nil, tool(t, version), "template", "app", parent, "--namespace", "ns")
		require.NoError(t, err, stderr)
		require.Contains(t, stdout, "# Source: parent/charts/tms/templates/deployment.yaml")
		require.Contains(t, stdout, `name: "app-tms-a"`)
		stdout, stderr, err = run(nil, tool(t, version), "template", "app", parent, "--set", "tms.enabled=false")
		require.NoError(t, err, stderr)
		require.NotContains(t, stdout, "Deployment")
	}
}

// TestPackage checks that the packaged chart renders the same text, and contains no tests.
func TestPackage(t *testing.T) {
	folder := t.TempDir()
	_, stderr, err := run(nil, tool(t, "helm3"), "package", chart, "--destination", folder)
	require.NoError(t, err, stderr)
	archive := glob(t, folder+"/tms-*.tgz")[0]
	values := chart + "/ci/pod-values.yaml"
	stdout, stderr, err := run(nil, tool(t, "helm3"), "template", "tms", archive, "--namespace", release.Namespace, "--values", values)
	require.NoError(t, err, stderr)
	golden.Same(t, ours(t, release, read(t, values)), stdout, "the packaged chart and the library differ")
	listing, _, err := run(nil, "tar", "-tzf", archive)
	require.NoError(t, err)
	require.Contains(t, listing, "tms/README.md")
	require.NotContains(t, listing, "ci/", "the archive contains the chart's tests")
}

func write(t testing.TB, folder, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
}
