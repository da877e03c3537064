package policy_test

import (
	"os"
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
