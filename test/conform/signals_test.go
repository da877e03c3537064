//go:build conform

package conform

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/pkg/render"
)

func writeRules(t testing.TB, spec monitoringv1.PrometheusRuleSpec) string {
	t.Helper()
	return form{rules: map[string]*monitoringv1.PrometheusRuleSpec{"rules.yaml": &spec}}.write(t)
}

// TestRulesAreValid checks the rules of every PrometheusRule with promtool: the operator
// rejects a whole PrometheusRule for one invalid expression.
func TestRulesAreValid(t *testing.T) {
	for _, file := range accepted(t) {
		result, err := renderer(t).Render(release, read(t, file))
		require.NoError(t, err)
		for document := range result.Documents() {
			if document.Kind != "PrometheusRule" {
				continue
			}
			var rule monitoringv1.PrometheusRule
			require.NoError(t, document.Decode(&rule))
			folder := writeRules(t, rule.Spec)
			stdout, stderr, err := run(nil, tool(t, "promtool"), "check", "rules", "--lint=all", "--lint-fatal", folder+"/rules.yaml")
			require.NoError(t, err, "%s: %s %s", file, stdout, stderr)
		}
	}
}

// TestSignals runs testdata/*.test.yaml, in the format of promtool test rules,
// against the rules of the lease resnet50 in the chart's ci values. The recorded
// series are correct in cases in which those of other systems are wrong.
func TestSignals(t *testing.T) {
	runCases(t, formsOf(t, "queue-time-values.yaml", "resnet50"), glob(t, "testdata/*.test.yaml"))
}

// runCases runs files of cases against both forms of rules.
func runCases(t *testing.T, forms []form, files []string) {
	for _, form := range forms {
		for _, file := range files {
			t.Run(form.name+"/"+filepath.Base(file), func(t *testing.T) {
				cases := read(t, file)
				if filepath.Base(file) != "peers.test.yaml" { // its expressions read all series
					cases = form.cases(t, cases)
				}
				test(t, form.write(t), cases)
			})
		}
	}
}

// test runs promtool test rules with a folder of rules.
func test(t testing.TB, folder string, cases []byte) {
	t.Helper()
	file := filepath.Join(folder, "cases.yaml")
	require.NoError(t, os.WriteFile(file, cases, 0o644))
	stdout, stderr, err := run(nil, tool(t, "promtool"), "test", "rules", file)
	require.NoError(t, err, "%s %s", stdout, stderr)
	require.Contains(t, stdout, "SUCCESS")
}

// TestSignalsSeeBreakage checks that the cases fail if the rules are wrong. It breaks the
// rules in several ways.
func TestSignalsSeeBreakage(t *testing.T) {
	breaks(t, "queue-time-values.yaml", "resnet50", []string{"testdata/queue.test.yaml"}, []change{
		{"sum by (namespace, pod) (rate(nv_inference_queue", "avg by (namespace, pod) (rate(nv_inference_queue"},
		{"rate(nv_inference_request_success", "rate(nv_inference_exec_count"},
		{",job=\"inference/tms-resnet50\"", ""},
		{"60000000", "0"},
		{"reason=\"REJECTED\"", "reason=\"OTHER\""},
		{" offset 1m", ""},
		{"100 * avg", "avg"},
		{"100 * avg by", "100 * sum by"},
		{"0 * group by (namespace, pod) (rate(nv_inference_queue_duration_us", "0 * group by (namespace, pod) (rate(nv_inference_exec_count"},
		{"0 * group by (namespace, pod) (rate(nv_inference_queue_duration_us{namespace=\"inference\",job=\"inference/tms-resnet50\"}[1m]))", "0 * group by (namespace, pod) (nv_inference_queue_duration_us{namespace=\"inference\",job=\"inference/tms-resnet50\"})"},
		{"sum by (namespace, pod) (nv_inference_pending", "max by (namespace, pod) (nv_inference_pending"},
	})
}

// TestSharedMonitors runs testdata/shared against the rules that several leases of a
// namespace share.
func TestSharedMonitors(t *testing.T) {
	for _, file := range glob(t, "testdata/shared/*.test.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			test(t, severalLeases(t).write(t), read(t, file))
		})
	}
}

// severalLeases returns the rules that the leases of shared-monitors-values.yaml share. More
// values can follow.
func severalLeases(t testing.TB, more ...[]byte) form {
	t.Helper()
	result, err := renderer(t).Render(release, append([][]byte{read(t, chart+"/ci/shared-monitors-values.yaml")}, more...)...)
	require.NoError(t, err)
	return form{rules: sharedRules(t, "tms.leases", result), translate: strings.NewReplacer()}
}

// TestSharedMonitorsSeeBreakage is TestSignalsSeeBreakage for shared rules.
func TestSharedMonitorsSeeBreakage(t *testing.T) {
	rules := severalLeases(t)
	for _, change := range []change{
		{",job=\"inference/tms.leases\"", ""},
		{"by (namespace, tms_lease) (rate(nv_inference_request_failure", "by (namespace) (rate(nv_inference_request_failure"},
		{"and on (namespace, tms_lease)", "or on (namespace, tms_lease)"},
		{"and on (namespace, tms_lease)\ngroup by (namespace, tms_lease) (nv_inference_request_success{namespace=\"inference\",job=\"inference/tms.leases\"})", ""},
		{"\"tms-(.+)\"", "\"(.+)\""},
		{"max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_target", "kube_horizontalpodautoscaler_status_target"},
		{"metric_name=\"tms_avg_request_queue_duration\",", ""},
		{">=", ">"},
		{"unless on (namespace)\n", "unless on (job)\n"},
		{"unless on (namespace, tms_lease)", "unless on (namespace, pod)"},
		{"present_over_time", "absent_over_time"},
		{"job=~\"inference/[^.]+\"", "job=~\"none\""},
		{"[.](.+[.])?leases", "[.]leases"},
		{"[.](.+[.])?leases", "[.](.+[.])leases"},
		{",metric_name=~\"tms_.+\"", ""},
		{"=~\"tms-[^.]+\"", "=~\".+\""},
	} {
		rules.breaks(t, glob(t, "testdata/shared/*.test.yaml"), change)
	}
}

// TestLanguageModels runs testdata/language-model against the rules of the lease trtllm.
func TestLanguageModels(t *testing.T) {
	runCases(t, formsOf(t, "language-model-values.yaml", "trtllm"), glob(t, "testdata/language-model/*.test.yaml"))
}

// TestLanguageModelsSeeBreakage is TestSignalsSeeBreakage for the lease trtllm.
func TestLanguageModelsSeeBreakage(t *testing.T) {
	breaks(t, "language-model-values.yaml", "trtllm", glob(t, "testdata/language-model/[fw]*.test.yaml"), []change{
		{"1000 * sum by (namespace, pod) (rate(nv_inference_first", "1000 * avg by (namespace, pod) (rate(nv_inference_first"},
		{"1000 * sum", "sum"},
		{",job=\"inference/tms-trtllm\"", ""},
		{"60000000", "0"},
		{"reason=\"REJECTED\"", "reason=\"OTHER\""},
		{"0 * group by (namespace, pod) (rate(nv_inference_first_response_histogram_ms_count", "0 * group by (namespace, pod) (rate(nv_inference_request_success"},
		{"_ms_count{namespace=\"inference\",job=\"inference/tms-trtllm\"} offset 1m", "_ms_count{namespace=\"inference\",job=\"inference/tms-trtllm\"}"},
		{"max by (namespace, pod) (min_over_time(nv_inference_pending_request_count", "max by (namespace, pod) (max_over_time(nv_inference_pending_request_count"},
		{"(min_over_time(nv_trt_llm_request_metrics{namespace=\"inference\",job=\"inference/tms-trtllm\",request_type=\"waiting\"}[1m])) > 0", "(min_over_time(nv_trt_llm_request_metrics{namespace=\"inference\",job=\"inference/tms-trtllm\",request_type=\"active\"}[1m])) > 0"},
		{"(min_over_time(nv_trt_llm_request_metrics{namespace=\"inference\",job=\"inference/tms-trtllm\",request_type=\"waiting\"}[1m])) > 0", "(min_over_time(nv_trt_llm_request_metrics{namespace=\"inference\",job=\"inference/tms-trtllm\",request_type=\"none\"}[1m])) > 0"},
		{">= ignoring (request_type)", "> ignoring (request_type)"},
		{"request_type=\"max\"} > 0", "request_type=\"max\"}"},
		{"offset 30000ms", "offset 1m"},
		{"offset 30000ms", ""},
		{"sum by (namespace, pod, model, version)", "sum by (namespace, pod)"},
		{"request_type=\"active\"} offset 1m", "request_type=\"active\"}"},
		{"or ignoring (request_type)", "or"},
		{"sum by (namespace, pod) (\n  nv_inference_pending", "max by (namespace, pod) (\n  nv_inference_pending"},
	})
}

// change replaces a part of the rules.
type change struct{ from, to string }

// breaks checks, in both forms, that for each change of the rules of a lease some case fails.
func breaks(t *testing.T, values, lease string, files []string, changes []change) {
	for _, form := range formsOf(t, values, lease) {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			for _, change := range changes {
				form.breaks(t, files, change)
			}
		})
	}
}

func (f form) breaks(t *testing.T, files []string, change change) {
	// The rules of a shared PodMonitor do not select by lease.
	translate := func(text string) string {
		return strings.NewReplacer(`",tms_lease="trtllm`, "", `",tms_lease="resnet50`, "").Replace(f.translate.Replace(text))
	}
	from, to := translate(change.from), translate(change.to)
	broken := f
	broken.rules = maps.Clone(f.rules)
	spec := f.rules["rules.yaml"].DeepCopy()
	broken.rules["rules.yaml"] = spec
	changed := false
	for g := range spec.Groups {
		for r := range spec.Groups[g].Rules {
			expr := &spec.Groups[g].Rules[r].Expr
			text := strings.ReplaceAll(expr.StrVal, from, to)
			changed = changed || text != expr.StrVal
			expr.StrVal = text
		}
	}
	require.True(t, changed, "the rules do not contain %q", from)
	folder := broken.write(t)
	for _, cases := range files {
		if fails(t, folder, f.cases(t, read(t, cases))) {
			return
		}
	}
	require.Fail(t, "no case fails", "with %q in place of %q", to, from)
}

// fails reports whether one of the cases fails with a folder of rules.
func fails(t testing.TB, folder string, cases []byte) bool {
	t.Helper()
	file := filepath.Join(folder, "cases.yaml")
	require.NoError(t, os.WriteFile(file, cases, 0o644))
	_, _, err := run(nil, tool(t, "promtool"), "test", "rules", file)
	return err != nil
}

var sample = regexp.MustCompile(`^(nv_\w+)(?:\{(.*)\})? (\S+)$`)

// TestTritonsOwnText reads the text of Triton's /metrics endpoint, lets each
// counter grow by its value every 15 seconds, and checks the recorded series.
func TestTritonsOwnText(t *testing.T) {
	page := read(t, "testdata/triton-metrics.txt")
	var series strings.Builder
	for _, line := range strings.Split(string(page), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		part := sample.FindStringSubmatch(line)
		require.NotNil(t, part, "no sample: %s", line)
		labels := `namespace="inference",job="inference/tms-resnet50",pod="a"`
		if part[2] != "" {
			labels += "," + part[2]
		}
		growth := "+0"
		if strings.Contains(string(page), "# TYPE "+part[1]+" counter") {
			growth = "+" + part[3]
		}
		fmt.Fprintf(&series, "      - {series: '%s{%s}', values: '%s%sx20'}\n", part[1], labels, part[3], growth)
	}
	// There are two models: 300 requests waited 1.5 s in total, and 100 requests 2.5 s.
	cases := []byte(`
rule_files: [rules.yaml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
` + series.String() + `
    promql_expr_test:
      - expr: tms_avg_request_queue_duration
        eval_time: 5m
        exp_samples: [{labels: 'tms_avg_request_queue_duration{namespace="inference",pod="a"}', value: 10000}]
      - expr: tms_avg_gpu_utilization
        eval_time: 5m
        exp_samples: [{labels: 'tms_avg_gpu_utilization{namespace="inference",pod="a"}', value: 70}]
      - expr: tms_pending_requests
        eval_time: 5m
        exp_samples: [{labels: 'tms_pending_requests{namespace="inference",pod="a"}', value: 7}]
`)
	for _, form := range formsOf(t, "queue-time-values.yaml", "resnet50") {
		test(t, form.write(t), form.cases(t, cases))
	}
}

// TestWindowsScale checks that the value for a jammed Triton follows the rate window.
func TestWindowsScale(t *testing.T) {
	for window, microseconds := range map[string]string{"2m": "120000000", "1m30s": "90000000", "61s500ms": "61500000"} {
		values := read(t, chart+"/ci/queue-time-values.yaml")
		result, err := renderer(t).Render(release, values, []byte("server: {autoscaling: {prometheus: {rateWindow: "+window+"}}}"))
		require.NoError(t, err)
		require.Contains(t, ruleOf(t, result), "["+window+"]")
		require.Contains(t, ruleOf(t, result), "\n"+microseconds+" + 0 * (")
	}
}

func ruleOf(t testing.TB, result *render.Result) string {
	t.Helper()
	for document := range result.Documents() {
		if document.Kind == "PrometheusRule" {
			var rule monitoringv1.PrometheusRule
			require.NoError(t, document.Decode(&rule))
			return rule.Spec.Groups[0].Rules[0].Expr.StrVal
		}
	}
	t.Fatal("there is no PrometheusRule")
	return ""
}
