package doctor_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/doctor"
)

const (
	kedaPath           = "/apis/keda.sh/v1alpha1"
	scaledObjectsPath  = kedaPath + "/namespaces/inference/scaledobjects"
	externalPath       = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io"
	definitionPath     = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/scaledobjects.keda.sh"
	externalValuePath  = "/apis/external.metrics.k8s.io/v1beta1/namespaces/inference/s1-prometheus"
	noFallbackBehavior = `{spec: {versions: [{name: v1alpha1, schema: {openAPIV3Schema: {properties: {spec: {properties: {fallback: {properties: {replicas: {type: integer}}}}}}}}}]}}`
)

// keda makes KEDA serve the metrics of the lease, in a cluster without prometheus-adapter.
func keda(w *world) {
	maps.Copy(w.objects, newWorld(w.t, "testdata/keda.yaml").objects)
	delete(w.objects, adapterPath)
	delete(w.objects, customPath)
	delete(w.objects, valuePath)
}

// ofKEDA sets a condition of the ScaledObject.
func ofKEDA(w *world, text string) {
	w.item(scaledObjectsPath, 0, `{status: {conditions: [`+text+`]}}`)
}

// withoutScaler removes the HorizontalPodAutoscaler that KEDA makes.
func withoutScaler(w *world) { keda(w); w.merge(scalersPath, `{items: []}`) }

// TestKEDATritonLease checks a TritonLease that KEDA scales, and one that is paused.
func TestKEDATritonLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	granted(w)
	keda(w)
	for _, path := range []string{scalersPath, scaledObjectsPath} {
		w.item(path, 0, `{metadata: {labels: {app.kubernetes.io/managed-by: tms-server}}}`)
	}
	report := check(t, w, "")
	require.Empty(t, codes(report))
	require.Len(t, report.Sections, 2, "one section for the lease")
	w.merge(scalersPath, `{items: []}`)
	ofKEDA(w, `{type: Paused, status: "True"}`)
	report = check(t, w, "")
	require.Equal(t, []string{"TMS1308"}, codes(report))
	require.Len(t, report.Sections, 2, "one section for the lease")
}

// TestKEDAWithoutScaler checks the causes of a missing HorizontalPodAutoscaler that have codes
// of their own.
func TestKEDAWithoutScaler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	withoutScaler(w)
	ofKEDA(w, `{type: Ready, status: "False", message: "error getting scaler for trigger #1"}`)
	report := check(t, w, "resnet50")
	require.Equal(t, []string{"TMS1306"}, codes(report))
	require.Contains(t, problems(report)[0].Message, "tms-resnet50: error getting scaler for trigger #1")

	w = newWorld(t, healthy)
	withoutScaler(w)
	delete(w.objects, externalPath)
	require.Equal(t, []string{"TMS1014", "the lease has a HorizontalPodAutoscaler: not checked because of TMS1014"}, codes(check(t, w, "")))
}

// TestKEDASkips checks that the doctor goes on without the rights to what is of KEDA.
func TestKEDASkips(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		forbid func(*world)
		want   []string
	}{
		"ScaledObjects": {
			func(w *world) { w.forbid(scaledObjectsPath, "list", "scaledobjects", "keda.sh", "inference") },
			[]string{"you may not list scaledobjects.keda.sh in namespace inference"},
		},
		"the CustomResourceDefinition": {
			func(w *world) {
				w.forbid(definitionPath, "get", "customresourcedefinitions", "apiextensions.k8s.io", "")
			},
			[]string{"KEDA can keep the replicas if a metric is missing: you may not get customresourcedefinitions.apiextensions.k8s.io in all namespaces"},
		},
		"the value": {
			func(w *world) {
				w.forbid(externalValuePath, "get", "s1-prometheus", "external.metrics.k8s.io", "inference")
			},
			[]string{"external.metrics.k8s.io has a value of s1-prometheus: you may not get s1-prometheus.external.metrics.k8s.io in namespace inference"},
		},
	} {
		w := newWorld(t, healthy)
		keda(w)
		c.forbid(w)
		require.Equal(t, c.want, codes(check(t, w, "resnet50")), name)
	}
}

// TestKEDAChecksPrometheus checks that what is before KEDA on the path of a metric has its own
// codes, and that an empty value is none.
func TestKEDAChecksPrometheus(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"TMS1107", "TMS1112", "TMS1202", "TMS1205", "TMS1207", "TMS1212", "TMS1216", "TMS1301", "TMS1304"} {
		w := newWorld(t, healthy)
		keda(w)
		ofKEDA(w, `{type: Fallback, status: "False"}`)
		breaks[code](w)
		require.Equal(t, []string{code}, codes(check(t, w, "resnet50")))
	}
	w := newWorld(t, healthy)
	keda(w)
	w.merge(externalValuePath, `{items: []}`)
	require.Equal(t, []string{"TMS1218"}, codes(check(t, w, "resnet50")))
}

// TestInstallWithKEDA checks that an install with KEDA needs it in place of an adapter.
func TestInstallWithKEDA(t *testing.T) {
	t.Parallel()
	const values = `server: {autoscaling: {source: keda, prometheus: {address: "http://prometheus:9090"}}}`
	for _, c := range []struct {
		breaks func(*world)
		want   []string
	}{
		{keda, []string{}},
		{func(w *world) { delete(w.objects, adapterPath) }, []string{"TMS1013"}},
		{func(w *world) { keda(w); delete(w.objects, externalPath) }, []string{"TMS1014"}},
		{func(w *world) { keda(w); w.merge(definitionPath, noFallbackBehavior) }, []string{"TMS1016"}},
		{func(w *world) { keda(w); w.denied = []string{"scaledobjects"} }, []string{"TMS1404"}},
	} {
		require.Equal(t, c.want, codes(installBreak{values: values, breaks: c.breaks}.check(t)))
	}
	install, err := doctor.NewInstall([]byte(`server: {enabled: true, autoscaling: {enable: true, source: keda, prometheus: {address: "http://prometheus:9090"}, metrics: {cpuUtilization: {enabled: true}}}}`))
	require.NoError(t, err)
	w := newWorld(t, healthy)
	w.serveKinds()
	require.Contains(t, codes(checkInstall(t, w, install, "")), "TMS1013", "TritonLeases need KEDA for cpuUtilization, too")
}

// kedaBreaks are the set-ups of the codes of KEDA.
var kedaBreaks = map[string]func(*world){
	"TMS1013": func(w *world) {
		keda(w)
		delete(w.objects, kedaPath)
	},
	"TMS1014": func(w *world) { keda(w); delete(w.objects, externalPath) },
	"TMS1015": func(w *world) {
		keda(w)
		w.merge(externalPath, `{status: {conditions: [{type: Available, status: "False", message: "endpoints for service/keda-operator-metrics-apiserver have no addresses"}]}}`)
	},
	"TMS1016": func(w *world) { keda(w); w.merge(definitionPath, noFallbackBehavior) },
	"TMS1218": func(w *world) {
		keda(w)
		w.fail(externalValuePath, http.StatusInternalServerError, "rpc error: code = Unknown desc = error when getting metric values")
	},
	"TMS1306": func(w *world) {
		keda(w)
		ofKEDA(w, `{type: Ready, status: "False", message: "clustertriggerauthentications.keda.sh \"prometheus\" not found"}`)
	},
	"TMS1307": func(w *world) {
		keda(w)
		ofKEDA(w, `{type: Ready, status: "True"}, {type: Fallback, status: "True"}`)
	},
	"TMS1308": func(w *world) { withoutScaler(w); ofKEDA(w, `{type: Paused, status: "True"}`) },
	"TMS1309": withoutScaler,
}
