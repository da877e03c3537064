package doctor

const (
	noOperatorKinds   = "TMS1001"
	noPrometheus      = "TMS1002"
	operatorDown      = "TMS1003"
	prometheusDown    = "TMS1004"
	notReconciled     = "TMS1005"
	noAdapter         = "TMS1006"
	adapterDown       = "TMS1007"
	noMetricsServer   = "TMS1008"
	metricsServerDown = "TMS1009"
	noStateMetrics    = "TMS1010"
	serverDown        = "TMS1011"
	noPrometheusAPI   = "TMS1012"
)

var clusterMessages = map[string]Message{
	noOperatorKinds: {
		Level:   Error,
		Text:    "the API server does not serve the kinds of the Prometheus Operator (monitoring.coreos.com/v1)",
		Meaning: "The chart cannot install a lease that scales. Only `cpuUtilization` works without them.",
		Command: "kubectl api-resources --api-group=monitoring.coreos.com",
		Fix:     "helm install prometheus prometheus-community/kube-prometheus-stack --namespace monitoring --create-namespace",
		Page:    "install.md#install-the-prerequisites",
	},
	noPrometheus: {
		Level:   Error,
		Text:    "the cluster has no Prometheus object",
		Meaning: "The operator runs no Prometheus, so nothing scrapes Triton.",
		Command: "kubectl get prometheuses.monitoring.coreos.com -A",
		Fix:     "helm install prometheus prometheus-community/kube-prometheus-stack --namespace monitoring --create-namespace",
		Page:    "install.md#install-the-prerequisites",
	},
	operatorDown: {
		Level:   Error,
		Text:    "the Prometheus Operator, Deployment <namespace>/<name>, has no available replica",
		Meaning: "Prometheus keeps its configuration. It does not learn of new leases.",
		Command: "kubectl describe pods -n <namespace> -l app.kubernetes.io/name=<label>",
		Fix:     "kubectl rollout restart deployment/<name> -n <namespace>",
		Page:    "troubleshooting.md#prometheus-unavailable",
	},
	prometheusDown: {
		Level:   Error,
		Text:    "Prometheus <namespace>/<name> is not available: <reason>",
		Meaning: "No metric of Triton is recorded. The HPA keeps its replicas.",
		Command: "kubectl describe prometheuses.monitoring.coreos.com <name> -n <namespace>",
		Fix:     "kubectl logs -n <namespace> -l operator.prometheus.io/name=<name> -c prometheus --tail=20",
		Page:    "troubleshooting.md#prometheus-unavailable",
	},
	notReconciled: {
		Level:   Error,
		Text:    "the operator cannot reconcile Prometheus <namespace>/<name>: <reason>",
		Meaning: "Prometheus keeps its old configuration, without new PodMonitors and PrometheusRules.",
		Command: "kubectl describe prometheuses.monitoring.coreos.com <name> -n <namespace>",
		Fix:     "correct the field of the Prometheus object that the reason names",
		Page:    "troubleshooting.md#prometheus-unavailable",
	},
	noAdapter: {
		Level:   Error,
		Text:    "no adapter serves custom.metrics.k8s.io/v1beta1",
		Meaning: "The HPA reads no metric but `cpuUtilization`.",
		Command: "kubectl get apiservice v1beta1.custom.metrics.k8s.io",
		Fix:     "helm install prometheus-adapter prometheus-community/prometheus-adapter --namespace monitoring --set prometheus.url=http://prometheus-kube-prometheus-prometheus.monitoring.svc --set prometheus.port=9090",
		Page:    "troubleshooting.md#custom-metrics-api-unavailable",
	},
	adapterDown: {
		Level:   Error,
		Text:    "custom.metrics.k8s.io/v1beta1 is not available: <reason>",
		Meaning: "The HPA reads no metric but `cpuUtilization`, and keeps its replicas.",
		Command: "kubectl get apiservice v1beta1.custom.metrics.k8s.io",
		Fix:     "kubectl rollout restart deployment/<name> -n <namespace>",
		Page:    "troubleshooting.md#custom-metrics-api-unavailable",
	},
	noMetricsServer: {
		Level:   Error,
		Text:    "no metrics-server serves metrics.k8s.io/v1beta1",
		Meaning: "The HPA cannot read `cpuUtilization`.",
		Command: "kubectl get apiservice v1beta1.metrics.k8s.io",
		Fix:     "helm install metrics-server metrics-server/metrics-server --namespace kube-system",
		Page:    "troubleshooting.md#cpu-metric-unknown",
	},
	metricsServerDown: {
		Level:   Error,
		Text:    "metrics.k8s.io/v1beta1 is not available: <reason>",
		Meaning: "The HPA cannot read `cpuUtilization`, and keeps its replicas.",
		Command: "kubectl get apiservice v1beta1.metrics.k8s.io",
		Fix:     "kubectl rollout restart deployment/<name> -n <namespace>",
		Page:    "troubleshooting.md#cpu-metric-unknown",
	},
	noStateMetrics: {
		Level:   Warning,
		Text:    "no Deployment has the label app.kubernetes.io/name=kube-state-metrics",
		Meaning: "The alert `TMSLeaseAtMaximum` never fires, unless kube-state-metrics runs under another label.",
		Command: "kubectl get deployments -A -l app.kubernetes.io/name=kube-state-metrics",
		Fix:     "helm upgrade prometheus prometheus-community/kube-prometheus-stack --namespace monitoring --reuse-values --set kubeStateMetrics.enabled=true",
		Page:    "troubleshooting.md#tmsleaseatmaximum",
	},
	serverDown: {
		Level:   Error,
		Text:    "tms-server, Deployment <namespace>/<name>, has no available replica",
		Meaning: "TritonLeases keep their pods, and scale. New, changed and expired TritonLeases wait.",
		Command: "kubectl describe pods -n <namespace> -l app.kubernetes.io/component=server",
		Fix:     "kubectl rollout restart deployment/<name> -n <namespace>",
		Page:    "troubleshooting.md#tms-server-unavailable",
	},
	noPrometheusAPI: {
		Level:   Error,
		Text:    "the API of Prometheus, <api>, does not answer: <reason>",
		Meaning: "Prometheus is down, or the API server does not reach it.",
		Command: "kubectl get --raw '<path>/api/v1/status/buildinfo'",
		Fix:     "tmsctl doctor --prometheus <namespace>/<service>:<port>",
		Page:    "troubleshooting.md#prometheus-unavailable",
	},
}
