//go:build conform

package conform

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// autoscalerSeries are what kube-state-metrics exports of a namespace with these leases:
//   - adapter reads its metrics from prometheus-adapter
//   - office has a schedule; its autoscaler without a schedule is not deleted yet
//   - cpu scales by CPU only
//   - keda has KEDA, and kedatarget has KEDA and a target
//   - fixed does not scale
//
// and of a web server that KEDA scales. The values are the replicas of the autoscalers.
var autoscalerSeries = []struct{ autoscaler, metric, target, container, value string }{
	{"tms-adapter", "tms_pending_requests", "tms-adapter", "triton", "1"},
	{"tms-office", "tms_pending_requests", "tms-office", "triton", "2"},
	{"tms-office.schedule", "tms_pending_requests", "tms-office", "", "3"},
	{"tms-cpu", "cpu", "tms-cpu", "triton", "4"},
	{"tms-keda", "s0-prometheus", "tms-keda", "triton", "5"},
	{"tms-kedatarget", "s0-prometheus", "legacy", "triton", "6"},
	{"", "", "tms-fixed", "triton", "7"},
	{"keda-hpa-web", "s0-prometheus", "web", "nginx", "8"},
}

// TestDashboardLeases checks which leases the dashboards show: each once, by the name of its
// objects, and no autoscaler of other software.
func TestDashboardLeases(t *testing.T) {
	var cases strings.Builder
	cases.WriteString("evaluation_interval: 15s\ntests:\n  - interval: 15s\n    input_series:\n")
	series := func(name, labels, value string) {
		fmt.Fprintf(&cases, "      - {series: '%s{namespace=\"a\",%s}', values: '%s'}\n", name, labels, value)
	}
	for i, s := range autoscalerSeries {
		if s.container != "" {
			series("kube_pod_container_info", fmt.Sprintf("pod=\"%s-5d4f-x%d\",container=%q", s.target, i, s.container), "1")
			series("kube_pod_container_info", fmt.Sprintf("pod=\"%s-5d4f-y%d\",container=%q", s.target, i, s.container), "1")
		}
		if s.autoscaler != "" {
			labels := fmt.Sprintf("horizontalpodautoscaler=%q", s.autoscaler)
			series("kube_horizontalpodautoscaler_status_current_replicas", labels, s.value)
			series("kube_horizontalpodautoscaler_info", labels+fmt.Sprintf(",scaletargetref_name=%q", s.target), "1")
			series("kube_horizontalpodautoscaler_spec_target_metric", labels+fmt.Sprintf(",metric_name=%q", s.metric), s.value)
			series("kube_horizontalpodautoscaler_status_target_metric", labels+fmt.Sprintf(",metric_name=%q", s.metric), s.value)
		}
	}
	cases.WriteString("    promql_expr_test:\n")
	expect := func(expr, lease string, samples map[string]string) {
		expr = strings.NewReplacer("$namespace", "a", "$lease", lease).Replace(expr)
		fmt.Fprintf(&cases, "      - expr: %s\n        eval_time: 0s\n        exp_samples:\n", quote(t, expr))
		for _, labels := range slices.Sorted(maps.Keys(samples)) {
			fmt.Fprintf(&cases, "          - {labels: '%s', value: %s}\n", labels, samples[labels])
		}
	}
	expect(panelQuery(t, "tms-fleet", "Replicas by lease"), "", map[string]string{
		`{namespace="a",lease="tms-adapter"}`: "1", `{namespace="a",lease="tms-office"}`: "3", `{namespace="a",lease="tms-cpu"}`: "4",
		`{namespace="a",lease="tms-keda"}`: "5", `{namespace="a",lease="tms-kedatarget"}`: "6",
	})
	chosen := map[string]string{}
	for _, lease := range []string{"legacy", "tms-adapter", "tms-cpu", "tms-fixed", "tms-keda", "tms-kedatarget", "tms-office"} {
		chosen[`{namespace="a",lease="`+lease+`"}`] = "1"
	}
	expect(leaseVariable(t), "", chosen)
	const percent = "Metrics in percent of their threshold"
	expect(panelQuery(t, "tms-lease", percent), "tms-office", map[string]string{`{metric_name="tms_pending_requests"}`: "100"})
	expect(panelQuery(t, "tms-lease", percent), "tms-keda", map[string]string{`{metric_name="s0-prometheus"}`: "100"})
	expect(panelQuery(t, "tms-lease", "Metrics of KEDA"), "tms-keda", map[string]string{`{metric_name="s0-prometheus"}`: "5"})
	test(t, t.TempDir(), []byte(cases.String()))
}

func quote(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text) // a string of YAML, too
	require.NoError(t, err)
	return string(quoted)
}

// chartDashboard is what the tests read of a dashboard.
type chartDashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Query string }
	}
}

func readDashboard(t *testing.T, uid string) chartDashboard {
	t.Helper()
	var d chartDashboard
	require.NoError(t, json.Unmarshal(read(t, "../../charts/tms/files/dashboards/"+uid+".json"), &d))
	return d
}

// panelQuery returns the first query of a panel.
func panelQuery(t *testing.T, uid, title string) string {
	t.Helper()
	for _, panel := range readDashboard(t, uid).Panels {
		if panel.Title == title {
			return panel.Targets[0].Expr
		}
	}
	require.Fail(t, "no panel", title)
	return ""
}

// leaseVariable returns the query of the variable lease.
func leaseVariable(t *testing.T) string {
	t.Helper()
	for _, v := range readDashboard(t, "tms-lease").Templating.List {
		if v.Name == "lease" {
			return strings.TrimSuffix(strings.TrimPrefix(v.Query, "query_result("), ")")
		}
	}
	require.Fail(t, "no variable lease")
	return ""
}
