package doctor

const (
	noRule             = "TMS1201"
	ruleLabels         = "TMS1202"
	ruleNamespace      = "TMS1203"
	ruleRejected       = "TMS1204"
	ruleNotLoaded      = "TMS1205"
	ruleFails          = "TMS1206"
	noSeries           = "TMS1207"
	noGPUSeries        = "TMS1208"
	noFirstResponse    = "TMS1209"
	noOwnSeries        = "TMS1210"
	wrongLabels        = "TMS1211"
	staleSeries        = "TMS1212"
	notListed          = "TMS1213"
	noCustomValue      = "TMS1214"
	noContainer        = "TMS1215"
	noCPURequest       = "TMS1216"
	noCPUValue         = "TMS1217"
	showSeries         = "kubectl get --raw '<path>/api/v1/query?query=<series>'"
	showTritonMetrics  = "kubectl get --raw /api/v1/namespaces/<namespace>/pods/<pod>:<port>/proxy/metrics | grep "
	showPodsContainers = "kubectl get pods -n <namespace> -l <selector> -o jsonpath='{.items[*].spec.containers[*]"
)

var metricMessages = map[string]Message{
	noRule: {
		Level:   Error,
		Text:    "no PrometheusRule of the lease records <series>",
		Meaning: "The PrometheusRule was deleted or edited.",
		Command: "kubectl get prometheusrules -n <namespace>",
		Fix:     "delete the PrometheusRules of the lease, and upgrade the release, which creates them again",
		Page:    "troubleshooting.md#queue-metric-missing-in-prometheus",
	},
	ruleLabels: {
		Level:   Error,
		Text:    "Prometheus <prometheusNamespace>/<prometheus> does not select PrometheusRule <namespace>/<name>: its labels do not match ruleSelector (<wanted>)",
		Meaning: "Prometheus scrapes Triton, and does not record <series>.",
		Command: "kubectl get prometheusrule <name> -n <namespace> --show-labels; kubectl get prometheuses.monitoring.coreos.com <prometheus> -n <prometheusNamespace> -o yaml | grep -A4 ruleSelector:",
		Fix:     "set server.autoscaling.prometheus.ruleLabels to labels that match, and upgrade the release",
		Page:    "troubleshooting.md#queue-metric-missing-in-prometheus",
	},
	ruleNamespace: {
		Level:   Error,
		Text:    "Prometheus <prometheusNamespace>/<prometheus> does not read PrometheusRules of namespace <namespace>: its labels do not match ruleNamespaceSelector (<wanted>)",
		Meaning: "Prometheus scrapes Triton, and does not record <series>.",
		Command: showNamespace,
		Fix:     fixNamespace,
		Page:    "troubleshooting.md#queue-metric-missing-in-prometheus",
	},
	ruleRejected: {
		Level:   Error,
		Text:    "the Prometheus Operator rejects PrometheusRule <namespace>/<name>: <reason>",
		Meaning: "For one invalid expression, the operator rejects the whole object.",
		Command: showEvents,
		Fix:     "kubectl delete prometheusrule <name> -n <namespace>, and upgrade the release, which creates it again; first correct the query if the rule is that of a metric of your own",
		Page:    "troubleshooting.md#queue-metric-missing-in-prometheus",
	},
	ruleNotLoaded: {
		Level:   Error,
		Text:    "Prometheus <prometheusNamespace>/<prometheus> has not loaded PrometheusRule <namespace>/<name>",
		Meaning: "Prometheus takes up to some minutes to load new rules. After that, the operator does not run, or Prometheus cannot reload.",
		Command: "kubectl get --raw '<path>/api/v1/rules?type=record&rule_name[]=<series>'",
		Fix:     "wait a minute; then read the log of the operator",
		Page:    "troubleshooting.md#prometheus-unavailable",
	},
	ruleFails: {
		Level:   Error,
		Text:    "Prometheus cannot evaluate the rule of <series>: <reason>",
		Meaning: "The series is not recorded.",
		Command: "kubectl get --raw '<path>/api/v1/rules?type=record&rule_name[]=<series>'",
		Fix:     "correct the expression in PrometheusRule <name>",
		Page:    "troubleshooting.md#queue-metric-missing-in-prometheus",
	},
	noSeries: {
		Level:   Error,
		Text:    "Prometheus has no <series> of <pods>",
		Meaning: "Prometheus scrapes the pods and evaluates the rule. The pods are younger than a rate window, or do not export what the rule reads.",
		Command: showSeries,
		Fix:     "wait for a rate window; then compare the metrics of the pod with the rule",
		Page:    "troubleshooting.md#queue-metric-missing-in-prometheus",
	},
	noGPUSeries: {
		Level:   Error,
		Text:    "Prometheus has no nv_gpu_utilization of <pods>: Triton does not measure the GPU",
		Meaning: "The lease cannot scale down while the metric is missing.",
		Command: showTritonMetrics + "nv_gpu_utilization",
		Fix:     "set server.autoscaling.metrics.gpuUtilization.enabled to false, or give the pods a whole GPU",
		Page:    "troubleshooting.md#gpu-metric-missing",
	},
	noFirstResponse: {
		Level:   Error,
		Text:    "Prometheus has no nv_inference_first_response_histogram_ms of <pods>: Triton does not export the histogram",
		Meaning: "The lease cannot scale down while the metric is missing.",
		Command: showTritonMetrics + "nv_inference_first_response_histogram_ms_count",
		Fix:     "start the Triton of a target with --metrics-config=histogram_latencies=true, or use a newer image",
		Page:    "troubleshooting.md#first-response-metric-missing",
	},
	noOwnSeries: {
		Level:   Error,
		Text:    "Prometheus has no <series> of <pods>: the query of the metric gives no result",
		Meaning: "The lease cannot scale down while the metric is missing.",
		Command: "kubectl get prometheusrule <name> -n <namespace> -o yaml",
		Fix:     "correct the query of the metric in server.autoscaling.metrics",
		Page:    "troubleshooting.md#your-own-metric-missing",
	},
	wrongLabels: {
		Level:   Error,
		Text:    "<series> of <pods> has more labels than namespace and pod: <labels>",
		Meaning: "The adapter adds up all series of a pod, so the HPA reads a number that is too high.",
		Command: showSeries,
		Fix:     "remove the other rule that records <series>, or end the query of your metric with: by (namespace, pod)",
		Page:    "troubleshooting.md#wrong-labels",
	},
	staleSeries: {
		Level:   Error,
		Text:    "the newest sample of <series> of <pods> is <age> old",
		Meaning: "Prometheus does not scrape or evaluate at present, and the HPA reads an old number.",
		Command: showSeries,
		Fix:     "check the load of Prometheus, and the state of its rules",
		Page:    "troubleshooting.md#prometheus-unavailable",
	},
	notListed: {
		Level:   Error,
		Text:    "the custom metrics API does not list pods/<series>",
		Meaning: "Prometheus has the series. The adapter refreshes its list once per relist interval (1m in its chart, 10m otherwise), asks another Prometheus, or has no rule for the series.",
		Command: "kubectl get --raw /apis/custom.metrics.k8s.io/v1beta1",
		Fix:     "wait for the relist interval; then check the rules and the Prometheus address of the adapter",
		Page:    "troubleshooting.md#tms-metrics-missing-in-the-custom-metrics-api",
	},
	noCustomValue: {
		Level:   Error,
		Text:    "the custom metrics API has no value of <series> for <pods>: <reason>",
		Meaning: "The adapter knows the series, and finds no sample: it asks another Prometheus.",
		Command: "kubectl get --raw '/apis/custom.metrics.k8s.io/v1beta1/namespaces/<namespace>/pods/*/<series>'",
		Fix:     "set prometheus.url and prometheus.port of the adapter to those of <prometheusNamespace>/<prometheus>",
		Page:    "troubleshooting.md#tms-metrics-missing-in-the-custom-metrics-api",
	},
	noContainer: {
		Level:   Error,
		Text:    "HorizontalPodAutoscaler <name> reads the CPU of container <container>, which the pods do not have",
		Meaning: "The HPA cannot compute `cpuUtilization`.",
		Command: showPodsContainers + ".name}'",
		Fix:     "set target.container of the lease to the name of the Triton container",
		Page:    "troubleshooting.md#cpu-metric-unknown",
	},
	noCPURequest: {
		Level:   Error,
		Text:    "container <container> has no CPU request, and cpuUtilization is a percentage of it",
		Meaning: "The HPA cannot compute `cpuUtilization`.",
		Command: showPodsContainers + ".resources}'",
		Fix:     "set resources.requests.cpu in the manifest of that Triton",
		Page:    "troubleshooting.md#cpu-metric-unknown",
	},
	noCPUValue: {
		Level:   Error,
		Text:    "metrics-server has no CPU usage of <pods>",
		Meaning: "A new pod has no value for about a minute. After that, metrics-server does not reach the kubelet of the node.",
		Command: "kubectl top pods -n <namespace> --containers",
		Fix:     "wait a minute; then read the log of metrics-server",
		Page:    "troubleshooting.md#cpu-metric-unknown",
	},
}
