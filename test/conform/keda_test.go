//go:build conform

package conform

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// bySource is a change of values to KEDA.
const bySource = "server: {autoscaling: {source: keda, prometheus: {address: http://prometheus}}}"

// kedaCases are what Prometheus knows of the pods of a lease, and what the query of KEDA must
// give. All values are multiples of the threshold. The HorizontalPodAutoscaler then wants that
// number of replicas, rounded up.
var kedaCases = []struct {
	name string
	// pods are the values of the pods. A pod with "none" has no value, NaN is a value.
	pods []string
	want string // empty: no result, which KEDA reports as an error
}{
	{"idle", []string{"0"}, "0"},
	{"one pod below", []string{"0.5"}, "0.5"},
	{"three pods below", []string{"0.5", "0.25", "0.5"}, "1.25"},
	{"three pods above", []string{"2", "0", "4"}, "6"},
	{"a jam", []string{"300"}, "300"},
	{"a new pod does not scale down", []string{"0.5", "none"}, "1.5"},
	{"new pods do not scale down", []string{"0.5", "0.5", "none", "none"}, "3"},
	{"new pods do not scale up further", []string{"3", "none"}, "3"},
	{"new pods after a scale-up do not scale down", []string{"1.5", "none", "none", "none"}, "4"},
	{"exactly at the threshold", []string{"1", "none"}, "2"},
	{"NaN is no value", []string{"0.5", "NaN"}, "1.5"},
	{"no pod has a value", []string{"none", "none"}, ""},
	{"no pod", nil, ""},
}

// kedaLease is a lease of the ci values, and how Prometheus knows its pods.
type kedaLease struct {
	file, name string
	threshold  int
	target     string // labels of its targets in Prometheus
}

var kedaLeases = []kedaLease{
	{"keda-values.yaml", "queue-only", 10000, `job="inference/tms-queue-only"`},
	{"keda-shared-values.yaml", "resnet50", 200000, `job="inference/tms.leases",tms_lease="resnet50"`},
}

// query returns the query of queueTime.
func (l kedaLease) query(t testing.TB) string {
	t.Helper()
	objects, err := renderer(t).Lease(release, l.name, read(t, chart+"/ci/"+l.file))
	require.NoError(t, err)
	for _, trigger := range objects.ScaledObject.Spec.Triggers {
		if trigger.Name == "queueTime" {
			return trigger.Metadata["query"]
		}
	}
	t.Fatal("no trigger for queueTime")
	return ""
}

// cases returns the cases in the format of promtool test rules. The recorded query is the
// series keda.
func (l kedaLease) cases() []byte {
	var text strings.Builder
	text.WriteString("rule_files: [rules.yaml]\nevaluation_interval: 15s\ntests:\n")
	add := func(name string, pods []string, targets []string, want string) {
		fmt.Fprintf(&text, "  - name: %s\n    interval: 15s\n    input_series:\n", name)
		series := func(labels, value string) {
			fmt.Fprintf(&text, "      - {series: '%s', values: '%sx8'}\n", labels, value)
		}
		for i, pod := range pods {
			for j, target := range targets {
				series(fmt.Sprintf(`up{namespace="inference",%s,pod="p%d"}`, target, i), fmt.Sprint(j%2))
			}
			labels := fmt.Sprintf(`{namespace="inference",pod="p%d"}`, i)
			switch pod {
			case "none":
			case "NaN":
				series("not_a_number"+labels, "1")
			default:
				series("tms_avg_request_queue_duration"+labels, l.times(pod))
			}
		}
		// Pods of others, in the same namespace and in another one.
		for i, other := range []string{
			`job="inference/tms-` + l.name + `-x"`, `job="inference/x-tms-` + l.name + `"`, `job="inference/tms-leases"`, `job="inference/tms.leases",tms_lease="` + l.name + `-x"`,
			`job="inference/tms.leases",tms_lease="x"`, `job="inference/all-tritons"`,
		} {
			series(fmt.Sprintf(`up{namespace="inference",%s,pod="o%d"}`, other, i), "1")
			series(fmt.Sprintf(`tms_avg_request_queue_duration{namespace="inference",pod="o%d"}`, i), "99000000")
		}
		series(fmt.Sprintf(`up{namespace="other",%s,pod="p0"}`, l.target), "1")
		series(`tms_avg_request_queue_duration{namespace="other",pod="p0"}`, "99000000")
		text.WriteString("    promql_expr_test:\n")
		samples := "[]"
		if want != "" {
			samples = fmt.Sprintf("[{labels: keda, value: %s}]", l.times(want))
		}
		fmt.Fprintf(&text, "      - {expr: keda, eval_time: 1m, exp_samples: %s}\n", samples)
	}
	for _, c := range kedaCases {
		add(c.name, c.pods, []string{l.target}, c.want)
	}
	both := []string{`job="inference/tms-` + l.name + `"`, `job="inference/tms.leases",tms_lease="` + l.name + `"`}
	add("two PodMonitors scrape the pods", []string{"0.5", "none"}, both, "1.5")
	add("only the lease's own PodMonitor scrapes the pods", []string{"0.5", "none"}, both[:1], "1.5")
	add("only the shared PodMonitor scrapes the pods", []string{"0.5", "none"}, both[1:], "1.5")
	add("no PodMonitor scrapes the pods any more", []string{"0.5"}, nil, "")
	return []byte(text.String())
}

// times returns a multiple of the threshold.
func (l kedaLease) times(factor string) string {
	var number float64
	_, _ = fmt.Sscan(factor, &number)
	return strconv.FormatFloat(number*float64(l.threshold), 'f', -1, 64)
}

// form returns the query as a recording rule, for the machinery of signals_test.go.
func (l kedaLease) form(query string) form {
	spec := &monitoringv1.PrometheusRuleSpec{Groups: []monitoringv1.RuleGroup{{
		Name: "keda", Rules: []monitoringv1.Rule{
			{Record: "tms_avg_request_queue_duration", Expr: intstr.FromString("NaN * not_a_number")}, // promtool has no NaN
			{Record: "keda", Expr: intstr.FromString(query)},
		},
	}}}
	return form{name: l.file, rules: map[string]*monitoringv1.PrometheusRuleSpec{"rules.yaml": spec}, translate: strings.NewReplacer()}
}

// TestKEDAQueries checks what the queries of ScaledObjects give.
func TestKEDAQueries(t *testing.T) {
	for _, lease := range kedaLeases {
		t.Run(lease.file, func(t *testing.T) {
			test(t, lease.form(lease.query(t)).write(t), lease.cases())
		})
	}
}

// TestKEDAQueriesSeeBreakage checks that the cases fail if the query is wrong.
func TestKEDAQueriesSeeBreakage(t *testing.T) {
	for _, lease := range kedaLeases {
		t.Run(lease.file, func(t *testing.T) {
			threshold := fmt.Sprint(lease.threshold)
			for _, change := range []change{
				{`namespace="inference"`, `namespace=~".+"`},
				{"(tms-" + lease.name + "|", "(tms-" + lease.name + ".*|"},
				{"(tms-" + lease.name + "|", "("},
				{`|tms[.]leases)`, `)`},
				{`tms[.]leases`, `tms.leases`},
				{`,tms_lease=~"(` + lease.name + `)?"`, ""},
				{`(` + lease.name + `)?"`, `(` + lease.name + `.*)?"`},
				{`(` + lease.name + `)?"`, `(` + lease.name + `)"`},
				{" < Inf", ""},
				{"group by (pod) ", ""},
				{"clamp_min", "clamp_max"},
				{"avg(", "sum("},
				{"+ " + threshold + " *", "- " + threshold + " *"},
				{"+ " + threshold + " *", "+ 0 *"},
				{"  - count(", "  - 0 * count("},
				{"  " + threshold + " * scalar", "  0 * scalar"},
				{"and on (pod)", "or on (pod)"},
			} {
				query := lease.query(t)
				broken := strings.ReplaceAll(query, change.from, change.to)
				require.NotEqual(t, query, broken, "the query does not contain %q", change.from)
				require.True(t, fails(t, lease.form(broken).write(t), lease.cases()), "no case fails with %q in place of %q", change.to, change.from)
			}
		})
	}
}

// TestKEDAAlerts runs the cases of the alerts with KEDA's names of the metrics.
func TestKEDAAlerts(t *testing.T) {
	names := strings.NewReplacer(
		`metric_name="tms_avg_request_queue_duration"`, `metric_name="s0-prometheus"`, `metric_name="tms_avg_first_response_duration"`, `metric_name="s1-prometheus"`)
	// A shared rule names the metrics as KEDA does, and has no unit.
	shared := strings.NewReplacer(
		"tms_metric: queueTime", "tms_metric: s0-prometheus, metric_name: s0-prometheus", "tms_metric: firstResponseTime", "tms_metric: s1-prometheus, metric_name: s1-prometheus",
		`tms_metric="queueTime"`, `tms_metric="s0-prometheus",metric_name="s0-prometheus"`, `tms_metric="firstResponseTime"`, `tms_metric="s1-prometheus",metric_name="s1-prometheus"`,
		"queueTime", "s0-prometheus", "firstResponseTime", "s1-prometheus", "0 microseconds.", "0.")
	for _, form := range formsOf(t, "queue-time-values.yaml", "resnet50", []byte(bySource)) {
		t.Run(form.name, func(t *testing.T) {
			cases := form.translate.Replace(names.Replace(string(read(t, "testdata/alerts.test.yaml"))))
			if form.name == "shared" {
				cases = shared.Replace(cases)
			}
			form.translate = strings.NewReplacer()
			test(t, form.write(t), form.cases(t, []byte(cases)))
		})
	}
	t.Run("several leases", func(t *testing.T) {
		rules := severalLeases(t, []byte(bySource))
		test(t, rules.write(t), []byte(shared.Replace(names.Replace(string(read(t, "testdata/shared/alerts.test.yaml"))))))
	})
}
