package doctor_test

import (
	"maps"
	"net/http"
)

const (
	healthy = "testdata/healthy.yaml"

	scalersPath   = "/apis/autoscaling/v2/namespaces/inference/horizontalpodautoscalers"
	leasesPath    = "/apis/tms.triton-leases.dev/v1alpha1/namespaces/inference/tritonleases"
	operatorPath  = "/apis/monitoring.coreos.com/v1"
	mainPath      = "/apis/monitoring.coreos.com/v1/prometheuses"
	deployments   = "/apis/apps/v1/deployments"
	serverPath    = "/apis/apps/v1/namespaces/tms-system/deployments"
	adapterPath   = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.custom.metrics.k8s.io"
	cpuPath       = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
	scalePath     = "/apis/apps/v1/namespaces/inference/deployments/tms-resnet50/scale"
	podsPath      = "/api/v1/namespaces/inference/pods"
	monitorsPath  = "/apis/monitoring.coreos.com/v1/namespaces/inference/podmonitors"
	rulesPath     = "/apis/monitoring.coreos.com/v1/namespaces/inference/prometheusrules"
	namespacePath = "/api/v1/namespaces/inference"
	servicesPath  = "/api/v1/namespaces/monitoring/services"
	apiPath       = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/"
	metricsPath   = "/api/v1/namespaces/inference/pods/tms-resnet50-1:8002/proxy/metrics"
	eventsPath    = "/api/v1/namespaces/inference/events"
	customPath    = "/apis/custom.metrics.k8s.io/v1beta1"
	valuePath     = customPath + "/namespaces/inference/pods/*/tms_avg_request_queue_duration"
	usagePath     = "/apis/metrics.k8s.io/v1beta1/namespaces/inference/pods"
)

// breaks are set-ups in which one thing is broken, by the code that the doctor must give. Each
// code has one, except those of an install.
var breaks = map[string]func(*world){
	"TMS1001": func(w *world) { delete(w.objects, operatorPath) },
	"TMS1002": func(w *world) { w.merge(mainPath, `{items: []}`) },
	"TMS1003": func(w *world) { w.item(deployments, 0, `{status: {availableReplicas: 0}}`) },
	"TMS1004": func(w *world) {
		w.item(mainPath, 0, `{status: {conditions: [{type: Available, status: "False", reason: NoPodReady, message: "shard 0: pod main-0: 0/2 nodes are available"}]}}`)
	},
	"TMS1005": func(w *world) {
		w.item(mainPath, 0, `{status: {conditions: [{type: Reconciled, status: "False", reason: ReconciliationFailed, message: "making statefulset failed"}]}}`)
	},
	"TMS1006": func(w *world) { delete(w.objects, adapterPath) },
	"TMS1007": func(w *world) {
		w.merge(adapterPath, `{status: {conditions: [{type: Available, status: "False", message: "endpoints for service/prometheus-adapter have no addresses"}]}}`)
	},
	"TMS1008": func(w *world) { delete(w.objects, cpuPath) },
	"TMS1009": func(w *world) {
		w.merge(cpuPath, `{status: {conditions: [{type: Available, status: "False", message: "failing or missing response"}]}}`)
	},
	"TMS1010": func(w *world) { w.item(deployments, 1, `{metadata: {labels: {app.kubernetes.io/name: other}}}`) },
	"TMS1011": func(w *world) { granted(w); w.item(serverPath, 0, `{status: {availableReplicas: 0}}`) },
	"TMS1012": func(w *world) {
		w.fail(apiPath+"targets", http.StatusServiceUnavailable, "no endpoints available for service")
	},
	"TMS1101": func(w *world) { w.merge(scalersPath, `{items: []}`) },
	"TMS1102": func(w *world) {
		granted(w)
		w.merge(leasesPath, `{items: [{metadata: {name: resnet50, namespace: inference}, status: {conditions: [{type: Granted, status: "False", message: "spec.image: not allowed"}]}}]}`)
	},
	"TMS1103": func(w *world) { delete(w.objects, scalePath) },
	"TMS1104": func(w *world) { w.merge(scalePath, `{spec: {replicas: 0}}`) },
	"TMS1105": func(w *world) { w.merge(podsPath, `{items: []}`) },
	"TMS1106": func(w *world) { w.item(podsPath, 0, `{status: {conditions: [{type: Ready, status: "False"}]}}`) },
	"TMS1107": func(w *world) { w.item(monitorsPath, 0, `{spec: {selector: {matchLabels: {app: other}}}}`) },
	"TMS1108": func(w *world) { w.item(monitorsPath, 0, `{spec: {podMetricsEndpoints: [{port: http-metrics}]}}`) },
	"TMS1109": func(w *world) { w.item(monitorsPath, 0, `{metadata: {labels: {release: other}}}`) },
	"TMS1110": func(w *world) { w.merge(namespacePath, `{metadata: {labels: {monitoring: "off"}}}`) },
	"TMS1111": func(w *world) {
		w.merge(apiPath+"targets", `{data: {activeTargets: []}}`)
		w.merge(eventsPath, `{items: [{involvedObject: {kind: PodMonitor, name: tms-resnet50}, message: "interval is not a duration"}]}`)
	},
	"TMS1112": func(w *world) { w.merge(apiPath+"targets", `{data: {activeTargets: []}}`) },
	"TMS1113": func(w *world) { down(w); w.fail(metricsPath, http.StatusServiceUnavailable, "connection refused") },
	"TMS1114": func(w *world) { down(w); w.objects[metricsPath] = map[string]any{"nv_inference_request_success": 1} },
	"TMS1201": func(w *world) { w.merge(rulesPath, `{items: []}`) },
	"TMS1202": func(w *world) { w.item(rulesPath, 0, `{metadata: {labels: {release: other}}}`) },
	"TMS1203": func(w *world) { w.item(mainPath, 0, `{spec: {ruleNamespaceSelector: null}}`) },
	"TMS1204": func(w *world) {
		w.merge(apiPath+"rules", `{data: {groups: []}}`)
		w.merge(eventsPath, `{items: [{involvedObject: {kind: PrometheusRule, name: tms-resnet50}, message: "1:5: parse error"}]}`)
	},
	"TMS1205": func(w *world) { w.merge(apiPath+"rules", `{data: {groups: []}}`) },
	"TMS1206": func(w *world) {
		w.merge(apiPath+"rules", `{data: {groups: [{file: /x/inference-tms-resnet50-1234.yaml, rules: [{name: tms_avg_request_queue_duration, health: err, lastError: "many-to-many matching"}]}]}}`)
	},
	"TMS1207": noResult,
	"TMS1208": func(w *world) { rename(w, "tms_avg_gpu_utilization"); noResult(w) },
	"TMS1209": func(w *world) { rename(w, "tms_avg_first_response_duration"); noResult(w) },
	"TMS1210": func(w *world) { rename(w, "tms_metric_kv_cache"); noResult(w) },
	"TMS1211": func(w *world) {
		w.merge(apiPath+"query", `{data: {result: [{metric: {namespace: inference, pod: tms-resnet50-1, model: a}, value: [1, "3"]}]}}`)
	},
	"TMS1212": func(w *world) {
		w.merge(apiPath+"query", `{data: {result: [{metric: {namespace: inference, pod: tms-resnet50-1}, value: [1, "200.4"]}]}}`)
	},
	"TMS1213": func(w *world) { w.merge(customPath, `{resources: [{name: pods/other}]}`) },
	"TMS1214": func(w *world) {
		w.fail(valuePath, http.StatusNotFound, "the server could not find the metric for pods")
	},
	"TMS1215": func(w *world) {
		w.item(podsPath, 0, `{spec: {containers: [{name: server, ports: [{name: metrics, containerPort: 8002}]}]}}`)
	},
	"TMS1216": func(w *world) {
		w.item(podsPath, 0, `{spec: {containers: [{name: triton, ports: [{name: metrics, containerPort: 8002}]}]}}`)
	},
	"TMS1217": func(w *world) { w.merge(usagePath, `{items: []}`) },
	"TMS1301": func(w *world) {
		condition(w, `{type: ScalingActive, status: "False", reason: FailedGetPodsMetric, message: "the HPA was unable to compute the replica count"}`)
	},
	"TMS1302": func(w *world) { condition(w, `{type: ScalingActive, status: "False", reason: AmbiguousSelector}`) },
	"TMS1303": func(w *world) {
		w.item(scalersPath, 0, `{status: {conditions: [{type: AbleToScale, status: "False", reason: FailedUpdateScale, message: "the HPA was unable to update the target scale"}]}}`)
	},
	"TMS1304": func(w *world) {
		w.item(scalersPath, 0, `{status: {conditions: [{type: ScalingActive, status: "True"}, {type: ScalingLimited, status: "True", reason: TooManyReplicas}]}}`)
	},
	"TMS1305": func(w *world) { w.merge(scalePath, `{spec: {replicas: 3}}`) },
	"TMS1310": func(w *world) { scheduled(w); w.merge(scalersPath, `{items: []}`) },
}

func init() { maps.Copy(breaks, kedaBreaks) }

// granted makes the lease a TritonLease.
func granted(w *world) {
	w.item(scalersPath, 0, `{metadata: {labels: {app.kubernetes.io/managed-by: tms-server}}}`)
	w.merge(leasesPath, `{items: [{metadata: {name: resnet50, namespace: inference}, status: {installation: tms-system/tms, conditions: [{type: Granted, status: "True"}]}}]}`)
}

func down(w *world) {
	w.merge(apiPath+"targets", `{data: {activeTargets: [{scrapePool: podMonitor/inference/tms-resnet50/0, labels: {pod: tms-resnet50-1}, health: down, lastError: context deadline exceeded}]}}`)
}

func noResult(w *world) { w.objects[apiPath+"query"] = parse(w.t, `{data: {result: []}}`) }

func condition(w *world, text string) {
	w.item(scalersPath, 0, `{status: {conditions: [{type: AbleToScale, status: "True"}, `+text+`]}}`)
}

// rename makes the lease scale by another series.
func rename(w *world, series string) {
	w.item(scalersPath, 0, `{spec: {metrics: [{type: Pods, pods: {metric: {name: `+series+`}}}]}}`)
	w.item(rulesPath, 0, `{spec: {groups: [{rules: [{record: `+series+`}]}]}}`)
	w.merge(apiPath+"rules", `{data: {groups: [{file: /x/inference-tms-resnet50-1234.yaml, rules: [{name: `+series+`, health: ok}]}]}}`)
}
