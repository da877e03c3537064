//go:build conform

package conform

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/pkg/render"
)

// form is how a lease is monitored: by its own PodMonitor, or by one that it shares. The
// cases in testdata are written for a lease with its own PodMonitor.
type form struct {
	name string
	// rules are the PrometheusRules of the lease, by the names of the rule files.
	rules map[string]*monitoringv1.PrometheusRuleSpec
	// translate changes a text for the lease's own PodMonitor into one for this form.
	translate *strings.Replacer
	// neighbours are changes of a series of the lease. Each gives the same series of another
	// PodMonitor in the namespace. None of them may count.
	neighbours []*strings.Replacer
}

// formsOf returns both forms of the rules of a lease in a ci values file. More values can
// follow.
func formsOf(t testing.TB, file, lease string, more ...[]byte) []form {
	t.Helper()
	values := append([][]byte{read(t, chart+"/ci/"+file)}, more...)
	objects, err := renderer(t).Lease(release, lease, values...)
	require.NoError(t, err)
	own := map[string]*monitoringv1.PrometheusRuleSpec{"rules.yaml": &objects.PrometheusRule.Spec}
	if objects.MetricsRule != nil {
		own["own.yaml"] = &objects.MetricsRule.Spec
	}
	result, err := renderer(t).Render(release, append(values, []byte(monitors("shared")))...)
	require.NoError(t, err)
	return []form{ownForm(lease, own), sharedForm(t, lease, "tms.leases", result)}
}

func monitors(value string) string {
	return "server: {autoscaling: {prometheus: {monitors: " + value + "}}}"
}

func ownForm(lease string, rules map[string]*monitoringv1.PrometheusRuleSpec) form {
	return form{"perLease", rules, strings.NewReplacer(), neighbours("inference/tms-"+lease, lease)}
}

func sharedForm(t testing.TB, lease, name string, result *render.Result) form {
	t.Helper()
	rules := sharedRules(t, name, result)
	job := "inference/" + name
	return form{"shared", rules, strings.NewReplacer(
		`job="inference/tms-`+lease+`"`, `job="`+job+`",tms_lease="`+lease+`"`,
		// TMSLeaseMetricsMissing is one alert for all leases.
		"tms_lease: "+lease+", namespace: inference, job: inference/tms-"+lease, "namespace: inference, job: "+job,
		"metrics of lease "+lease+".", "metrics of the leases in namespace inference.",
		"PodMonitor inference/tms-"+lease, "PodMonitor "+job,
		"the lease cannot scale", "its leases cannot scale",
		// TMSLeaseAtMaximum does not know the numbers of a lease.
		"4 replicas for", "replicas for", "5 replicas for", "replicas for",
		"above its threshold of\n                200000 ", "above its threshold: it is\n                1000000 ",
		"above its threshold of\n                3000000 ", "above its threshold: it is\n                5000000 ",
		"leases."+lease+".autoscaling.replicas.maximum", "leases."+lease+".autoscaling.replicas.maximum",
	), neighbours(job+`",tms_lease="`+lease, lease)}
}

// sharedRules returns the PrometheusRules with a name, and with this name and the suffix
// .metrics.
func sharedRules(t testing.TB, name string, result *render.Result) map[string]*monitoringv1.PrometheusRuleSpec {
	t.Helper()
	rules := map[string]*monitoringv1.PrometheusRuleSpec{}
	for document := range result.Documents() {
		if document.Kind != "PrometheusRule" {
			continue
		}
		var rule monitoringv1.PrometheusRule
		require.NoError(t, document.Decode(&rule))
		if file, ok := map[string]string{name: "rules.yaml", name + ".metrics": "own.yaml"}[rule.Name]; ok {
			rules[file] = &rule.Spec
		}
	}
	require.Contains(t, rules, "rules.yaml")
	return rules
}

// neighbours returns the changes from the series of a job to those of other PodMonitors: one
// that scrapes the same pods, and two of another release, which has a lease with the same
// name.
func neighbours(job, lease string) []*strings.Replacer {
	const pod = `pod="`
	hpa := func(release string) string { return `horizontalpodautoscaler="` + release + lease + `"` }
	return []*strings.Replacer{
		strings.NewReplacer(`job="`+job+`"`, `job="inference/all-tritons"`),
		strings.NewReplacer(`job="`+job+`"`, `job="inference/tms-x.leases",tms_lease="`+lease+`"`, pod, pod+"x-", hpa("tms-"), hpa("tms-x-")),
		strings.NewReplacer(`job="`+job+`"`, `job="inference/tms-y-`+lease+`"`, pod, pod+"y-", hpa("tms-"), hpa("tms-y-")),
	}
}

// write writes the rules as rule files of Prometheus, and returns their folder.
func (f form) write(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	for file, spec := range f.rules {
		text, err := yaml.Marshal(spec)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, file), text, 0o644))
	}
	return folder
}

// cases returns cases for this form, with neighbours.
func (f form) cases(t testing.TB, text []byte) []byte {
	t.Helper()
	var cases map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(f.translate.Replace(string(text))), &cases))
	for _, test := range cases["tests"].([]any) {
		test := test.(map[string]any)
		series := test["input_series"].([]any)
		more := map[string]any{} // by series: two of the lease can become one
		for _, s := range series {
			s := s.(map[string]any)
			for _, neighbour := range f.neighbours {
				name := s["series"].(string)
				if changed := neighbour.Replace(name); changed != name {
					more[changed] = map[string]any{"series": changed, "values": s["values"]}
				}
			}
		}
		for _, s := range series { // the case may have a neighbour itself
			delete(more, s.(map[string]any)["series"].(string))
		}
		for _, name := range slices.Sorted(maps.Keys(more)) {
			series = append(series, more[name])
		}
		test["input_series"] = append(series, upOfNeighbours(series)...)
	}
	changed, err := yaml.Marshal(cases)
	require.NoError(t, err)
	return changed
}

// upOfNeighbours returns the series up of the pods of other releases: Prometheus has one for
// each pod that a PodMonitor selects.
func upOfNeighbours(series []any) []any {
	targets := map[string]any{}
	for _, s := range series {
		name := s.(map[string]any)["series"].(string)
		metric, labels, _ := strings.Cut(name, "{")
		if metric != "nv_inference_request_success" || !strings.Contains(name, `job="inference/tms-x`) && !strings.Contains(name, `job="inference/tms-y`) {
			continue
		}
		var target []string
		for _, label := range strings.Split(strings.TrimSuffix(labels, "}"), ",") {
			if slices.Contains([]string{"namespace", "job", "pod", "tms_lease"}, strings.Split(label, "=")[0]) {
				target = append(target, label)
			}
		}
		up := "up{" + strings.Join(target, ",") + "}"
		targets[up] = map[string]any{"series": up, "values": "1x200"}
	}
	return slices.Collect(maps.Values(targets))
}
