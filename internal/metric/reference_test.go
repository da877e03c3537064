package metric_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/metric"
	"github.com/triton-leases/tms/internal/preview"
	"github.com/triton-leases/tms/internal/reference"
	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// values let a lease have all series and alerts.
const values = `
server:
  autoscaling:
    enable: true
    prometheus: {monitors: perLease}
    metrics:
      gpuUtilization: {enabled: true, allowed: true}
      queueTime: {enabled: true, allowed: true}
      firstResponseTime: {enabled: true, allowed: true}
      waitingRequests: {enabled: true, allowed: true}
`

const lease = `
apiVersion: tms.triton-leases.dev/v1alpha1
kind: TritonLease
metadata: {name: resnet50, namespace: vision}
spec:
  models: [{name: resnet50, uri: s3://models/vision}]
  triton: {resources: {requests: {cpu: 1}, limits: {nvidia.com/gpu: 1}}}
  autoscaling: {enable: true}
  autoRenew: true
`

// TestReference checks the page of all metrics, recorded series and alerts.
func TestReference(t *testing.T) {
	t.Parallel()
	page := reference.New("Metrics, recorded series and alerts", "internal/metric, pkg/policy/metrics.go and charts/tms/templates")
	page.Heading(2, "Metrics of tms-server")
	page.Text("tms-server exports them on the port `metrics` (8080) at `/metrics`. `server.metrics.enabled` creates a PodMonitor for it. The name of a metric ends with its unit, if it has one. Each replica exports the metrics of all leases: use `max`, not `sum`, over the pods of tms-server.")
	page.Table([]string{"metric", "type", "labels", "meaning"}, rows(metric.Controller()))
	page.Text("With `server.apiService.enabled`:")
	page.Table([]string{"metric", "type", "labels", "meaning"}, rows(metric.API()))
	page.Text("`tms_connections` and `tms_limited_connections_total` also exist for the ports `metrics` and `health`. [controller-runtime](https://book.kubebuilder.io/reference/metrics-reference) and the Go client add their own metrics, with the prefixes `controller_runtime_`, `workqueue_`, `rest_client_`, `leader_election_`, `certwatcher_`, `go_` and `process_`.")

	page.Heading(2, "Recorded series")
	page.Text("The PrometheusRule of a lease, or of all leases of a namespace, records them every `server.autoscaling.prometheus.evaluationInterval`. All have exactly the labels `namespace` and `pod`. [signals.md](../signals.md) shows the expressions.")
	text := manifests(t)
	page.Table([]string{"series", "metric of the values", "meaning"}, series(t, text))
	page.Text("The series of a metric that the administrator defines as `server.autoscaling.metrics.<name>.query` is `tms_metric_<name>`, in snake case: `kvCache` becomes `tms_metric_kv_cache`.")

	page.Heading(2, "Alerts")
	page.Text("`server.autoscaling.prometheus.alerts.enabled` creates them. The summaries are examples for a lease `resnet50`.")
	page.Table([]string{"alert", "for", "labels", "summary"}, alerts(t, text))
	golden.Equal(t, "../../docs/reference/metrics.md", page.String())
}

func rows(metrics []metric.Metric) [][]string {
	var all [][]string
	for _, m := range metrics {
		all = append(all, []string{reference.Code(m.Name), string(m.Type), reference.Codes(m.Labels), reference.Plain(m.Help)})
	}
	return all
}

// manifests returns the manifests of the lease.
func manifests(t *testing.T) string {
	t.Helper()
	renderer, err := render.New(render.Options{})
	require.NoError(t, err)
	var input render.Input
	require.NoError(t, input.Add([]byte(values)))
	read, err := preview.Read(1, []byte(lease))
	require.NoError(t, err)
	result, err := preview.Render(renderer, render.Release{Name: "tms", Namespace: "tms-system"}, &input, read, nil)
	require.NoError(t, err)
	var text strings.Builder
	_, err = result.WriteTo(&text)
	require.NoError(t, err)
	return text.String()
}

// recorded matches a rule with the comment above it.
var recorded = regexp.MustCompile(`(?m)((?:^ *#.*\n)+) *- record: (\w+)$`)

// series returns a row for each recorded series. The first paragraph of the comment above its
// rule is its meaning.
func series(t *testing.T, text string) [][]string {
	t.Helper()
	byMetric := map[string]string{}
	for _, m := range policy.Metrics() {
		byMetric[m.Series] = string(m.Name)
	}
	var all [][]string
	for _, match := range recorded.FindAllStringSubmatch(text, -1) {
		var words []string
		for line := range strings.SplitSeq(strings.TrimSpace(match[1]), "\n") {
			line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#"))
			if line == "" {
				break
			}
			words = append(words, line)
		}
		all = append(all, []string{reference.Code(match[2]), reference.Code(byMetric[match[2]]), reference.Plain(strings.Join(words, " "))})
	}
	require.Len(t, all, strings.Count(text, "- record: "), "a rule has no comment")
	for _, m := range policy.Metrics() {
		if m.Series != "" {
			require.True(t, slices.ContainsFunc(all, func(row []string) bool { return row[0] == reference.Code(m.Series) }), "%s is not recorded", m.Series)
		}
	}
	return all
}

// alerts returns a row for each alert, with a link to its section of troubleshooting.md.
func alerts(t *testing.T, text string) [][]string {
	t.Helper()
	var all [][]string
	for document := range strings.SplitSeq(text, "\n---\n") {
		var rule monitoringv1.PrometheusRule
		require.NoError(t, yaml.Unmarshal([]byte(document), &rule))
		if rule.Kind != monitoringv1.PrometheusRuleKind {
			continue
		}
		for _, group := range rule.Spec.Groups {
			for _, r := range group.Rules {
				if r.Alert == "" || slices.ContainsFunc(all, func(row []string) bool { return strings.HasPrefix(row[0], "["+r.Alert+"]") }) {
					continue
				}
				row := []string{fmt.Sprintf("[%s](../troubleshooting.md#%s)", r.Alert, strings.ToLower(r.Alert)), string(*r.For), reference.Codes(slices.Sorted(maps.Keys(r.Labels))), reference.Plain(r.Annotations["summary"])}
				all = append(all, row)
			}
		}
	}
	return all
}
