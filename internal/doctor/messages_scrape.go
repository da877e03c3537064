package doctor

const (
	noScaler             = "TMS1101"
	leaseRefused         = "TMS1102"
	noTarget             = "TMS1103"
	scaledToZero         = "TMS1104"
	noPods               = "TMS1105"
	noReadyPod           = "TMS1106"
	noPodMonitor         = "TMS1107"
	noMetricsPort        = "TMS1108"
	podMonitorLabels     = "TMS1109"
	podMonitorNamespace  = "TMS1110"
	podMonitorRejected   = "TMS1111"
	podMonitorNotLoaded  = "TMS1112"
	tritonDoesNotRespond = "TMS1113"
	scrapeFails          = "TMS1114"
)

const (
	showMonitors  = "kubectl get podmonitor <name> -n <namespace> --show-labels; kubectl get prometheuses.monitoring.coreos.com <prometheus> -n <prometheusNamespace> -o yaml | grep -A4 podMonitorSelector:"
	showNamespace = "kubectl get namespace <namespace> --show-labels"
	fixNamespace  = "kubectl label namespace <namespace> <labels>; if the selector is absent, set it to {} in the Prometheus object"
	showEvents    = "kubectl get events -n <namespace> --field-selector reason=InvalidConfiguration"
)

var scrapeMessages = map[string]Message{
	noScaler: {
		Level:   Error,
		Text:    "lease <lease> has no HorizontalPodAutoscaler in namespace <namespace>",
		Meaning: "The lease does not exist, does not ask for autoscaling, or `server.autoscaling.enable` is false.",
		Command: "kubectl get hpa -n <namespace> -l tms.triton-leases.dev/lease=<lease>",
		Fix:     "set server.autoscaling.enable and leases.<lease>.autoscaling.enable (of a TritonLease, spec.autoscaling.enable) to true",
		Page:    "troubleshooting.md#no-hpa",
	},
	leaseRefused: {
		Level:   Error,
		Text:    "tms-server does not grant TritonLease <namespace>/<lease>: <reason>",
		Meaning: "The lease keeps its former grant, if it has one.",
		Command: "kubectl describe tritonlease <lease> -n <namespace>",
		Fix:     "kubectl edit tritonlease <lease> -n <namespace>",
		Page:    "troubleshooting.md#refused-values",
	},
	noTarget: {
		Level:   Error,
		Text:    "HorizontalPodAutoscaler <name> scales <kind> <target>, which does not exist in namespace <namespace>",
		Meaning: "The HPA has nothing to scale.",
		Command: "kubectl get hpa <name> -n <namespace>",
		Fix:     "create the workload, or correct target.name, target.kind and target.apiVersion of the lease",
		Page:    "troubleshooting.md#no-workload-to-scale",
	},
	scaledToZero: {
		Level:   Warning,
		Text:    "<kind> <target> has 0 replicas, and an HPA does not scale from 0",
		Meaning: "Autoscaling is off until the workload has a replica.",
		Command: "kubectl get hpa <name> -n <namespace>",
		Fix:     "kubectl scale <kind>/<target> -n <namespace> --replicas=1",
		Page:    "troubleshooting.md#no-workload-to-scale",
	},
	noPods: {
		Level:   Error,
		Text:    "<kind> <target> has no pods",
		Meaning: "Kubernetes refuses the pods: a quota, a Pod Security Standard, or a field of the pod.",
		Command: "kubectl get events -n <namespace> --field-selector reason=FailedCreate",
		Fix:     "correct what the event names",
		Page:    "troubleshooting.md#pods-never-ready",
	},
	noReadyPod: {
		Level:   Error,
		Text:    "<kind> <target> has no ready pod: 0 of <count>",
		Meaning: "Triton still loads its models, or cannot start. It exposes no metrics before it has loaded them.",
		Command: "kubectl describe pods -n <namespace> -l <selector>",
		Fix:     "wait until the models are loaded, or correct what the events and the log name",
		Page:    "troubleshooting.md#pods-never-ready",
	},
	noPodMonitor: {
		Level:   Error,
		Text:    "no PodMonitor of the lease selects the pods of <kind> <target>",
		Meaning: "Prometheus does not know the pods. The PodMonitor was deleted, or target.selector does not match the pods.",
		Command: "kubectl get pods -n <namespace> -l <selector> --show-labels; kubectl get podmonitors -n <namespace> -o yaml",
		Fix:     "set target.selector to labels of the pods; if the lease has no target, delete its PodMonitor and upgrade the release",
		Page:    "troubleshooting.md#no-triton-metrics",
	},
	noMetricsPort: {
		Level:   Error,
		Text:    "no container of the pods has the port <port> of PodMonitor <name>",
		Meaning: "Prometheus ignores the pods.",
		Command: "kubectl get pods -n <namespace> -l <selector> -o jsonpath='{.items[*].spec.containers[*].ports}'",
		Fix:     "set target.metricsPort of the lease to the name or the number of the port",
		Page:    "troubleshooting.md#no-triton-metrics",
	},
	podMonitorLabels: {
		Level:   Error,
		Text:    "no Prometheus selects PodMonitor <namespace>/<name>: its labels do not match podMonitorSelector (<wanted>)",
		Meaning: "Prometheus does not scrape the pods.",
		Command: showMonitors,
		Fix:     "set server.autoscaling.prometheus.podMonitorLabels to labels that match, and upgrade the release",
		Page:    "troubleshooting.md#no-triton-metrics",
	},
	podMonitorNamespace: {
		Level:   Error,
		Text:    "no Prometheus reads PodMonitors of namespace <namespace>: its labels do not match podMonitorNamespaceSelector (<wanted>)",
		Meaning: "Prometheus does not scrape the pods, and usually does not load the rules.",
		Command: showNamespace,
		Fix:     fixNamespace,
		Page:    "troubleshooting.md#no-triton-metrics",
	},
	podMonitorRejected: {
		Level:   Error,
		Text:    "the Prometheus Operator rejects PodMonitor <namespace>/<name>: <reason>",
		Meaning: "Prometheus does not scrape the pods.",
		Command: showEvents,
		Fix:     "kubectl delete podmonitor <name> -n <namespace>, and upgrade the release, which creates it again",
		Page:    "troubleshooting.md#no-triton-metrics",
	},
	podMonitorNotLoaded: {
		Level:   Error,
		Text:    "Prometheus <prometheusNamespace>/<prometheus> has no target for the pods of PodMonitor <namespace>/<name>",
		Meaning: "It has not loaded the PodMonitor yet, or the operator does not run.",
		Command: "kubectl get --raw '<path>/api/v1/targets?state=active&scrapePool=podMonitor/<namespace>/<name>/0'",
		Fix:     "wait a minute; then read the log of the operator",
		Page:    "troubleshooting.md#prometheus-unavailable",
	},
	tritonDoesNotRespond: {
		Level:   Error,
		Text:    "Triton in pod <pod> does not serve /metrics at port <port>: <reason>",
		Meaning: "The pod is ready, but its metrics are not available: the port is wrong, or Triton runs without metrics.",
		Command: "kubectl get --raw /api/v1/namespaces/<namespace>/pods/<pod>:<port>/proxy/metrics",
		Fix:     "set target.metricsPort to the port of the metrics, and start Triton without --allow-metrics=false",
		Page:    "troubleshooting.md#no-triton-metrics",
	},
	scrapeFails: {
		Level:   Error,
		Text:    "Prometheus cannot scrape pod <pod>, which serves /metrics: <reason>",
		Meaning: "A NetworkPolicy or a service mesh blocks Prometheus.",
		Command: "kubectl get networkpolicies -n <namespace>",
		Fix:     "allow Prometheus to reach port <port> of the pods",
		Page:    "troubleshooting.md#no-triton-metrics",
	},
}
