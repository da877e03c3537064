package policy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/pkg/policy"
)

// TestGoldenPolicy compares the chart with the tables of this package: its templates read
// a copy.
func TestGoldenPolicy(t *testing.T) {
	t.Parallel()
	text, err := yaml.Marshal(map[string]any{"metrics": policy.Metrics(), "options": policy.Options()})
	require.NoError(t, err)
	golden.Equal(t, "../../charts/tms/files/policy.yaml",
		"# Generated from pkg/policy/metrics.go and arguments.go: go test ./pkg/policy -run Golden -update\n"+string(text))
}

func TestMetricNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, []v1alpha1.MetricName{v1alpha1.CPUUtilization, v1alpha1.GPUUtilization, v1alpha1.QueueTime, v1alpha1.FirstResponseTime, v1alpha1.WaitingRequests}, policy.MetricNames())
	metrics := policy.Metrics()
	metrics[0].Name = "changed"
	require.Equal(t, v1alpha1.CPUUtilization, policy.Metrics()[0].Name, "Metrics returns a copy")
}

// TestMetricsAreDocumented: the signals page describes each recorded series, and the
// thresholds page each metric.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	signals, err := os.ReadFile("../../docs/signals.md")
	require.NoError(t, err)
	thresholds, err := os.ReadFile("../../docs/thresholds.md")
	require.NoError(t, err)
	for _, metric := range policy.Metrics() {
		require.Contains(t, string(signals), metric.Series)
		require.Contains(t, string(thresholds), "`"+string(metric.Name)+"`")
	}
}

// TestAdapterRule checks the rule of docs/install.md for a prometheus-adapter without its
// default rules: it selects each series that a HorizontalPodAutoscaler reads, and no others.
func TestAdapterRule(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/install.md")
	require.NoError(t, err)
	_, text, _ := strings.Cut(string(page), "### An adapter without default rules")
	_, text, _ = strings.Cut(text, "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	var values struct {
		Rules struct {
			Default bool
			Custom  []struct {
				SeriesQuery, MetricsQuery string
				Resources                 struct {
					Overrides map[string]struct{ Resource string }
				}
				Name struct{ Matches, As string }
			}
		}
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &values))
	require.Len(t, values.Rules.Custom, 1)
	rule := values.Rules.Custom[0]
	require.Equal(t, "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)", rule.MetricsQuery)
	require.Contains(t, rule.Resources.Overrides, "namespace")
	require.Contains(t, rule.Resources.Overrides, "pod")
	query := regexp.MustCompile(`^\{__name__=~"(.*)",namespace!="",pod!=""\}$`).FindStringSubmatch(rule.SeriesQuery)
	require.NotNil(t, query)
	names := regexp.MustCompile(query[1])
	p, err := policy.New(withMetric(t, "kvCache2", "sum by (namespace, pod) (up{$pods})"))
	require.NoError(t, err)
	for _, metric := range p.Metrics() {
		require.Equal(t, metric.Series != "", names.MatchString(metric.Series), metric.Name)
	}
	require.False(t, names.MatchString("tms_pending_requests") || names.MatchString("nv_inference_count"))
}
