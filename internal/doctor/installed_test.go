package doctor

import (
	"fmt"
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

// TestUsesMetric checks which components an install needs.
func TestUsesMetric(t *testing.T) {
	t.Parallel()
	const enabled, lease = "server: {autoscaling: {enable: true}}\n", "leases: {a: {models: [{name: a, uri: /models}], autoscaling: {enable: true%s}}}"
	for _, c := range []struct {
		values          string
		prometheus, cpu bool
	}{
		{"leases: {}", false, false},
		{"leases: {a: {models: [{name: a, uri: /models}], autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}}", false, false},
		{enabled + fmt.Sprintf(lease, ", metrics: {queueTime: {enabled: true}}"), true, false},
		{enabled + fmt.Sprintf(lease, ", metrics: {queueTime: {enable: true}, cpuUtilization: {enabled: true}}"), true, true},
		{enabled + fmt.Sprintf(lease, ", metrics: {queueTime: {enabled: false}}"), false, false},
		{"server: {autoscaling: {enable: true, metrics: {cpuUtilization: {enabled: true}}}}\n" + fmt.Sprintf(lease, ""), false, true},
		{"server: {enabled: true, autoscaling: {enable: true, metrics: {queueTime: {enable: true}}}}", true, false},
		{"server: {autoscaling: {enable: true, metrics: {queueTime: {enable: true}}}}", false, false},
	} {
		install, err := NewInstall([]byte(c.values))
		require.NoError(t, err)
		require.Equal(t, []bool{c.prometheus, c.cpu}, []bool{install.usesMetric(false), install.usesMetric(true)}, c.values)
	}
}

// TestMend checks that the labels that are proposed match the selector.
func TestMend(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{matchLabels: {a: b, c: d}}`:                                           "a=b",
		`{matchExpressions: [{key: a, operator: In, values: [x, y]}]}`:          "a=x",
		`{matchExpressions: [{key: c, operator: NotIn, values: [d]}]}`:          "c-",
		`{matchExpressions: [{key: a, operator: In}]}`:                          "<key>=<value>",
		`{matchExpressions: [{key: a, operator: Exists}]}`:                      "a=true",
		`{matchExpressions: [{key: c, operator: DoesNotExist}]}`:                "c-",
		`{matchLabels: {c: d}, matchExpressions: [{key: z, operator: Exists}]}`: "z=true",
		`null`: "<key>=<value>",
	} {
		var s *metav1.LabelSelector
		require.NoError(t, yaml.Unmarshal([]byte(text), &s))
		require.Equal(t, want, missingLabels(s, map[string]string{"c": "d"}), text)
	}
}

// TestRightOf checks the message for a right that a user lacks.
func TestRightOf(t *testing.T) {
	t.Parallel()
	require.Equal(t, "you may not get services/proxy in namespace monitoring",
		rightOf(`services "prometheus:9090" is forbidden: User "eve" cannot get resource "services/proxy" in API group "" in the namespace "monitoring"`))
	require.Equal(t, "you may not list prometheuses.monitoring.coreos.com in all namespaces",
		rightOf(`prometheuses.monitoring.coreos.com is forbidden: User "eve" cannot list resource "prometheuses" in API group "monitoring.coreos.com" at the cluster scope`))
	require.Equal(t, "denied", rightOf("denied"))
}

// TestBudgetOfLease checks that the budget of a lease replaces that of all leases.
func TestBudgetOfLease(t *testing.T) {
	t.Parallel()
	const all, lease = "triton: {podDisruptionBudget: {minAvailable: 1}}\n", "leases: {a: {models: [{name: a, uri: /models}], triton: {%s}}}"
	for values, want := range map[string]bool{
		fmt.Sprintf(lease, ""):                                           false,
		all + fmt.Sprintf(lease, ""):                                     true,
		all + fmt.Sprintf(lease, "podDisruptionBudget: {}"):              false,
		fmt.Sprintf(lease, "podDisruptionBudget: {maxUnavailable: 50%}"): true,
	} {
		install, err := NewInstall([]byte(values))
		require.NoError(t, err)
		require.Equal(t, want, install.any(install.hasBudget), values)
	}
}
