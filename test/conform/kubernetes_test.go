//go:build conform

package conform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKubeconform validates every golden file and every rendered example strictly
// against the schemas of Kubernetes, prometheus-operator, cert-manager, the Gateway API and KEDA. It skips the three
// GrafanaDashboards of dashboards-values.yaml, because the module of grafana-operator is not
// on the Go proxy: TestDashboardObjects in pkg/render compares their fields.
func TestKubeconform(t *testing.T) {
	files := glob(t, project+"/testdata/golden/*.yaml")
	for _, example := range glob(t, project+"/examples/*.yaml") {
		file := filepath.Join(t.TempDir(), filepath.Base(example))
		var manifests string
		if filepath.Base(example) == "lease.yaml" {
			manifests = text(t, previewed(t, read(t, project+"/examples/queue-time.yaml"), read(t, example)))
		} else {
			manifests = ours(t, release, read(t, example))
		}
		require.NoError(t, os.WriteFile(file, []byte(manifests), 0o644))
		files = append(files, file)
	}
	stdout, stderr, err := kubeconform(t, files...)
	require.NoError(t, err, "%s %s", stdout, stderr)
	require.Contains(t, stdout, "Invalid: 0, Errors: 0, Skipped: 3")
}

// TestKubeconformRefuses checks that the schemas are strict: a misspelled key is an error.
func TestKubeconformRefuses(t *testing.T) {
	for name, keys := range map[string][]string{
		"queue-time": {"minReplicas:", "podMetricsEndpoints:", "containerPort:", "record:"},
		"server":     {"roleRef:", "verbs:", "policyTypes:", "automountServiceAccountToken:", "additionalPrinterColumns:", "maxUnavailable:"},
		"keda":       {"maxReplicaCount:", "horizontalPodAutoscalerConfig:", "failureThreshold:", "authenticationRef:"},
		"server-api": {"appProtocol:", "resourceNames:", "issuerRef:", "dnsNames:", "rotationPolicy:"},
	} {
		golden := string(read(t, project+"/testdata/golden/"+name+".yaml"))
		for _, right := range keys {
			file := filepath.Join(t.TempDir(), "wrong.yaml")
			require.NoError(t, os.WriteFile(file, []byte(strings.Replace(golden, right, "x-"+right, 1)), 0o644))
			_, _, err := kubeconform(t, file)
			require.Error(t, err, "kubeconform accepts x-%s for %s", right, right)
		}
	}
}

func kubeconform(t testing.TB, files ...string) (stdout, stderr string, err error) {
	schemas := filepath.Join(filepath.Dir(tool(t, "kubeconform")), "schemas")
	return run(nil, tool(t, "kubeconform"), append([]string{
		"-strict", "-summary", "-skip", "GrafanaDashboard", "-schema-location", schemas + "/{{ .ResourceKind }}{{ .KindSuffix }}.json",
	}, files...)...)
}

// TestChartTesting runs ct lint with the configuration of the project.
func TestChartTesting(t *testing.T) {
	path := t.TempDir()
	helm, err := filepath.Abs(tool(t, "helm3"))
	require.NoError(t, err)
	require.NoError(t, os.Symlink(helm, filepath.Join(path, "helm")))
	t.Setenv("PATH", path+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Chdir(project)
	stdout, stderr, err := run(nil, tool(t, "ct"), "lint", "--config", "ct.yaml")
	require.NoError(t, err, "%s %s", stdout, stderr)
	require.Contains(t, stdout, "All charts linted successfully")
}
