package doctor_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/doctor"
	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/internal/valuesfile"
)

func check(t *testing.T, w *world, lease string) *doctor.Report {
	t.Helper()
	report, err := doctor.New(w, doctor.Options{Namespace: "inference", Lease: lease}).Check(t.Context())
	require.NoError(t, err)
	return report
}

// TestGoldenChecks checks that nothing is found if nothing is broken, and that all is checked.
func TestGoldenChecks(t *testing.T) {
	t.Parallel()
	for file, change := range map[string]func(*world){"checks.txt": func(*world) {}, "checks-keda.txt": keda, "checks-schedule.txt": scheduled} {
		w := newWorld(t, healthy)
		change(w)
		report := check(t, w, "resnet50")
		require.Empty(t, problems(report), file)
		require.True(t, report.Healthy())
		var checked strings.Builder
		for _, section := range report.Sections {
			for _, result := range section.Results {
				fmt.Fprintf(&checked, "%s: %s\n", section.Subject, result.Message)
			}
		}
		golden.Equal(t, "testdata/"+file, checked.String())
		require.Equal(t, report, check(t, w, ""), "all leases of the namespace")
	}
	w := newWorld(t, healthy)
	granted(w)
	require.Empty(t, codes(check(t, w, "")), "a TritonLease")
}

// TestGoldenCodes checks that each broken set-up gives its own code and nothing else, and compares
// all messages with a golden file.
func TestGoldenCodes(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, code := range slices.Sorted(maps.Keys(breaks)) {
		w := newWorld(t, healthy)
		breaks[code](w)
		report := check(t, w, "resnet50")
		found := slices.DeleteFunc(problems(report), func(r doctor.Result) bool {
			return strings.HasSuffix(r.Message, "not checked because of "+code)
		})
		require.Len(t, found, 1, "%s: %v", code, codes(report))
		require.Equal(t, code, found[0].Code, "%+v", found[0])
		require.Equal(t, found[0].Status == doctor.Warning, report.Healthy(), code)
		writeResult(&text, found[0])
	}
	for _, code := range slices.Sorted(maps.Keys(installBreaks)) {
		b := installBreaks[code]
		report := b.check(t)
		require.Equal(t, []string{code}, codes(report))
		writeResult(&text, problems(report)[0])
	}
	golden.Equal(t, "testdata/messages.txt", text.String())
}

func writeResult(w *strings.Builder, r doctor.Result) {
	fmt.Fprintf(w, "%s %s: %s\n  %s\n  %s\n  %s\n", r.Status, r.Code, r.Message, r.Command, r.Fix, r.Link)
}

var placeholder = regexp.MustCompile(`<\w+>`)

// TestEachCodeHasATest checks that there is a set-up for each code, and that a message of a
// result has no placeholder.
func TestEachCodeHasATest(t *testing.T) {
	t.Parallel()
	require.Equal(t, doctor.Codes(), slices.Sorted(func(yield func(string) bool) {
		for code := range breaks {
			yield(code)
		}
		for code := range installBreaks {
			yield(code)
		}
	}))
	for code, b := range breaks {
		w := newWorld(t, healthy)
		b(w)
		for _, r := range problems(check(t, w, "resnet50")) {
			require.NotRegexp(t, placeholder, r.Message, code)
			if code != "TMS1203" { // the selector is absent
				require.NotRegexp(t, placeholder, r.Command+r.Fix, code)
			}
		}
	}
}

// TestHostileTarget checks that the target of an autoscaler, which a user may name freely, leads
// neither to a command that a shell would run nor to another path of the API server.
func TestHostileTarget(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x;reboot", "$(reboot)", "`reboot`", "x' 'y", "x\nreboot", "x --all", "x>y", "a|b", "é"} {
		w := newWorld(t, healthy)
		w.objects["/apis/apps/v1/namespaces/inference/deployments/"+name+"/scale"] = map[string]any{"spec": map[string]any{"replicas": 0}}
		w.item(scalersPath, 0, fmt.Sprintf("{spec: {scaleTargetRef: {name: %q}}}", name))
		result := problems(check(t, w, "resnet50"))[0]
		require.Equal(t, "TMS1104", result.Code, name)
		require.Equal(t, "kubectl scale Deployment/<target> -n inference --replicas=1", result.Fix)
		require.Contains(t, result.Message, name)
	}
	for _, target := range []string{
		`{apiVersion: ../../api/v1/namespaces/inference/services/evil/proxy}`, `{name: ../../../../../../api/v1/secrets}`, `{name: a%2f..}`,
	} {
		w := newWorld(t, healthy)
		w.item(scalersPath, 0, "{spec: {scaleTargetRef: "+target+"}}")
		w.called = nil
		require.Contains(t, strings.Join(codes(check(t, w, "resnet50")), "\n"), "a name in the cluster is not valid in the path")
		for _, path := range w.called {
			require.NotContains(t, path, "..", target)
		}
	}
}

// TestSkips checks that the doctor names each right that the user lacks, and goes on.
func TestSkips(t *testing.T) {
	t.Parallel()
	const api = "monitoring.coreos.com"
	for name, c := range map[string]struct {
		forbid func(*world)
		want   []string
	}{
		"Prometheuses": {
			func(w *world) { w.forbid(mainPath, "list", "prometheuses", api, "") },
			[]string{"the cluster has a Prometheus: you may not list prometheuses.monitoring.coreos.com in all namespaces"},
		},
		"the API of Prometheus": {
			func(w *world) { w.forbid(apiPath+"targets", "get", "services/proxy", "", "monitoring") },
			[]string{"Prometheus scrapes the pods: you may not get services/proxy in namespace monitoring"},
		},
		"Deployments": {
			func(w *world) { w.forbid(deployments, "list", "deployments", "apps", "") },
			[]string{
				"the Prometheus Operator is available: you may not list deployments.apps in all namespaces",
				"kube-state-metrics is installed: you may not list deployments.apps in all namespaces",
			},
		},
		"pods": {
			func(w *world) { w.forbid(podsPath, "list", "pods", "", "inference") },
			[]string{"a pod is ready: you may not list pods in namespace inference"},
		},
		"the scale": {
			func(w *world) { w.forbid(scalePath, "get", "deployments/scale", "apps", "inference") },
			[]string{"the workload exists: you may not get deployments/scale.apps in namespace inference"},
		},
		"the value of the metric": {
			func(w *world) {
				w.forbid(valuePath, "get", "pods/tms_avg_request_queue_duration", "custom.metrics.k8s.io", "inference")
			},
			[]string{"the custom metrics API has a value of tms_avg_request_queue_duration: you may not get pods/tms_avg_request_queue_duration.custom.metrics.k8s.io in namespace inference"},
		},
		"the Services": { // the operator's own Service is asked
			func(w *world) {
				w.forbid(servicesPath, "list", "services", "", "monitoring")
				for _, path := range w.paths() {
					if rest, found := strings.CutPrefix(path, apiPath); found {
						w.objects["/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy/api/v1/"+rest] = w.objects[path]
						delete(w.objects, path)
					}
				}
			},
			[]string{},
		},
		"the APIService": { // the API itself answers
			func(w *world) { w.forbid(adapterPath, "get", "apiservices", "apiregistration.k8s.io", "") },
			[]string{},
		},
		"the HorizontalPodAutoscalers": {
			func(w *world) { w.forbid(scalersPath, "list", "horizontalpodautoscalers", "autoscaling", "inference") },
			[]string{"you may not list horizontalpodautoscalers.autoscaling in namespace inference"},
		},
		"the TritonLeases": {
			func(w *world) { w.forbid(leasesPath, "list", "tritonleases", "tms.triton-leases.dev", "inference") },
			[]string{"you may not list tritonleases.tms.triton-leases.dev in namespace inference"},
		},
		"the Deployment of tms-server": {
			func(w *world) { granted(w); w.forbid(serverPath, "list", "deployments", "apps", "tms-system") },
			[]string{"tms-server is available: you may not list deployments.apps in namespace tms-system"},
		},
		"another error": {
			func(w *world) { w.fail(rulesPath, http.StatusInternalServerError, "etcdserver: request timed out") },
			[]string{"Prometheus selects a PrometheusRule that records tms_avg_request_queue_duration: etcdserver: request timed out (HTTP 500)"},
		},
		"a message without a right": {
			func(w *world) { w.fail(podsPath, http.StatusForbidden, "no policy\nallows it") },
			[]string{"a pod is ready: no policy\nallows it"},
		},
	} {
		w := newWorld(t, healthy)
		c.forbid(w)
		report := check(t, w, "resnet50")
		require.Equal(t, c.want, codes(report), name)
		require.True(t, report.Healthy(), name)
	}
}

// TestUnreachable checks that an API server that does not answer is an error, and no finding.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	w.down = true
	_, err := doctor.New(w, doctor.Options{Namespace: "inference"}).Check(t.Context())
	require.EqualError(t, err, "connection refused")
	install, err := doctor.NewInstall()
	require.NoError(t, err)
	_, err = doctor.New(w, doctor.Options{Namespace: "inference"}).CheckInstall(t.Context(), install)
	require.EqualError(t, err, "connection refused")
}

// TestTwoLeases checks that a problem of the cluster is reported once, and that all leases are
// checked, also a TritonLease without a HorizontalPodAutoscaler.
func TestTwoLeases(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	second := `{metadata: {name: tms-bert, namespace: inference, labels: {tms.triton-leases.dev/lease: bert, app.kubernetes.io/instance: tms}}}`
	first := w.objects[scalersPath]["items"].([]any)[0].(map[string]any)
	w.objects[scalersPath]["items"] = []any{first, valuesfile.Merge(first, parse(t, second))}
	w.merge(monitorsPath, `{items: [{metadata: {name: tms.leases, labels: {release: prometheus, app.kubernetes.io/instance: tms}}, spec: {selector: {}, podMetricsEndpoints: [{portNumber: 8002}]}}]}`)
	w.merge(leasesPath, `{items: [{metadata: {name: new, namespace: inference}, spec: {autoscaling: {enable: true}}}, {metadata: {name: fixed, namespace: inference}}]}`)
	w.fail(apiPath+"targets", http.StatusServiceUnavailable, "no endpoints available")
	report := check(t, w, "")
	var subjects []string
	for _, section := range report.Sections {
		subjects = append(subjects, section.Subject)
	}
	require.Equal(t, []string{"cluster", "inference/bert", "inference/new", "inference/resnet50"}, subjects)
	require.Equal(t, []string{"TMS1012", "TMS1102", "Prometheus scrapes the pods: not checked because of TMS1012"}, codes(report))
}

// TestSameName checks that a lease in the values and a TritonLease of the same name are both
// checked.
func TestSameName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	w.merge(leasesPath, `{items: [{metadata: {name: resnet50, namespace: inference}, status: {conditions: [{type: Granted, status: "False", message: refused}]}}]}`)
	report := check(t, w, "resnet50")
	require.Equal(t, []string{"TMS1102"}, codes(report))
	require.Len(t, report.Sections, 3)
}

// TestNewScaler checks a HorizontalPodAutoscaler that has no conditions yet.
func TestNewScaler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	w.item(scalersPath, 0, `{status: {conditions: []}}`)
	report := check(t, w, "resnet50")
	require.Equal(t, []string{"TMS1301"}, codes(report))
	require.Contains(t, problems(report)[0].Message, "it has not read the metrics yet")
}

// TestSharedMonitors checks that objects that leases share count for each lease, and those of
// another lease or another release do not.
func TestSharedMonitors(t *testing.T) {
	t.Parallel()
	for labels, want := range map[string][]string{
		`tms.triton-leases.dev/lease: null`:  {},
		`tms.triton-leases.dev/lease: other`: {"TMS1107"},
		`app.kubernetes.io/instance: other`:  {"TMS1107"},
	} {
		w := newWorld(t, healthy)
		w.item(monitorsPath, 0, `{metadata: {labels: {`+labels+`}}}`)
		if strings.Contains(labels, "null") {
			delete(w.objects[monitorsPath]["items"].([]any)[0].(map[string]any)["metadata"].(map[string]any)["labels"].(map[string]any), "tms.triton-leases.dev/lease")
		}
		require.Equal(t, want, codes(check(t, w, "resnet50")), labels)
	}
}

// TestPrometheusService checks which API of Prometheus is asked.
func TestPrometheusService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	w.item(mainPath, 0, `{spec: {shards: 2}}`)
	require.Equal(t, []string{"Prometheus scrapes the pods: Prometheus monitoring/main has shards: name an API that reads all of them with --prometheus"}, codes(check(t, w, "resnet50")))
	named, err := doctor.ParseService("monitoring/prometheus:9090")
	require.NoError(t, err)
	report, err := doctor.New(w, doctor.Options{Namespace: "inference", Lease: "resnet50", Prometheus: named}).Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, codes(report))
	for _, text := range []string{"", "monitoring", "monitoring/prometheus", "prometheus:9090", "a/b:", "a/b:c:d", "/b:1"} {
		_, err := doctor.ParseService(text)
		require.ErrorContains(t, err, "must be <namespace>/<service>:<port>", text)
	}

	w = newWorld(t, healthy)
	w.item(mainPath, 0, `{spec: {routePrefix: /prometheus/, web: {tlsConfig: {}}}}`)
	w.merge(servicesPath, `{items: []}`)
	require.Equal(t, []string{"TMS1012"}, codes(check(t, w, "resnet50")))
	require.Contains(t, problems(check(t, w, "resnet50"))[0].Command, "/services/https:prometheus-operated:9090/proxy/prometheus/api/v1/")
}

// TestYoungPod checks a pod whose Triton exports what the rule reads, and which is younger than
// a rate window.
func TestYoungPod(t *testing.T) {
	t.Parallel()
	for series, exported := range map[string]string{
		"tms_avg_gpu_utilization":         "nv_gpu_utilization",
		"tms_avg_first_response_duration": "nv_inference_first_response_histogram_ms_count",
	} {
		w := newWorld(t, healthy)
		rename(w, series)
		w.objects[apiPath+"query?"+exported+`{namespace="inference",pod="tms-resnet50-1"}`] = w.objects[apiPath+"query"]
		noResult(w)
		require.Equal(t, []string{"TMS1207"}, codes(check(t, w, "resnet50")), series)
	}
}

// TestPartOfThePods checks pods without a series: a pod that became ready a moment ago may have
// none.
func TestPartOfThePods(t *testing.T) {
	t.Parallel()
	for since, want := range map[string][]string{
		time.Now().UTC().Format(time.RFC3339): {},
		"2020-01-01T00:00:00Z":                {"TMS1207"},
	} {
		w := newWorld(t, healthy)
		pods := w.objects[podsPath]["items"].([]any)
		w.objects[podsPath]["items"] = append(pods, valuesfile.Merge(pods[0].(map[string]any), parse(t,
			`{metadata: {name: tms-resnet50-2}, status: {conditions: [{type: Ready, status: "True", lastTransitionTime: "`+since+`"}]}}`)))
		w.merge(scalePath, `{spec: {replicas: 2}}`)
		report := check(t, w, "resnet50")
		require.Equal(t, want, codes(report))
		if len(want) > 0 {
			require.Contains(t, problems(report)[0].Message, "of pod tms-resnet50-2")
		}
	}
}

// TestAllNamespaces checks the leases of all namespaces.
func TestAllNamespaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	for path, all := range map[string]string{
		scalersPath: "/apis/autoscaling/v2/horizontalpodautoscalers", leasesPath: "/apis/tms.triton-leases.dev/v1alpha1/tritonleases",
		configMapsPath: "/api/v1/configmaps",
	} {
		w.objects[all] = w.objects[path]
		delete(w.objects, path)
	}
	report, err := doctor.New(w, doctor.Options{}).Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, codes(report))
	require.Equal(t, "inference/resnet50", report.Sections[1].Subject)
}

// TestNoLeases checks a cluster that has no lease that scales, and not the kind TritonLease.
func TestNoLeases(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	w.merge(scalersPath, `{items: []}`)
	delete(w.objects, leasesPath)
	delete(w.objects, adapterPath) // no lease needs it
	report := check(t, w, "")
	require.Empty(t, codes(report))
	require.Len(t, report.Sections, 1)
}
