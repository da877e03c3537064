package doctor

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/pkg/render"
)

// TestInstallAgrees compares what the doctor knows of the manifests of an install with those
// that the chart renders, for each case of the chart: the kinds, and the labels of the
// PodMonitors and PrometheusRules of leases.
func TestInstallAgrees(t *testing.T) {
	t.Parallel()
	renderer, err := render.New(render.Options{})
	require.NoError(t, err)
	cases, err := filepath.Glob("../../charts/tms/ci/*-values.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, file := range cases {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			install, err := NewInstall(text)
			require.NoError(t, err)
			result, err := renderer.Render(render.Release{Name: "tms", Namespace: "inference"}, text)
			require.NoError(t, err)
			result.SkipTests()
			rendered := map[kind]bool{{"v1", "Secret"}: true}
			for document := range result.Documents() {
				var object struct {
					metav1.TypeMeta
					metav1.ObjectMeta `json:"metadata"`
				}
				require.NoError(t, yaml.Unmarshal([]byte(document.Text), &object))
				if object.Kind == "" {
					continue
				}
				rendered[kind{object.APIVersion, object.Kind}] = true
				if object.Labels[componentLabel] != "triton" {
					continue
				}
				switch object.Kind {
				case "PodMonitor":
					requireLabels(t, install.podMonitorLabels, object.Labels)
				case "PrometheusRule":
					requireLabels(t, install.ruleLabels, object.Labels)
				}
			}
			kinds, err := install.kinds()
			require.NoError(t, err)
			found := map[kind]bool{}
			for _, k := range kinds {
				found[k] = true
			}
			require.Equal(t, rendered, found)
		})
	}
}

// requireLabels checks the labels of an object. Some depend on the lease and the release.
func requireLabels(t *testing.T, want, rendered map[string]string) {
	t.Helper()
	known := maps.Clone(rendered)
	maps.DeleteFunc(known, func(key, _ string) bool {
		return slices.Contains([]string{instanceLabel, "app.kubernetes.io/version", "helm.sh/chart", "tms.triton-leases.dev/lease"}, key)
	})
	require.Equal(t, want, known)
}
