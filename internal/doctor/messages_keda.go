package doctor

const (
	noKEDA               = "TMS1013"
	noKEDAMetrics        = "TMS1014"
	kedaMetricsDown      = "TMS1015"
	oldKEDA              = "TMS1016"
	noExternalValue      = "TMS1218"
	scaledObjectNotReady = "TMS1306"
	fallsBack            = "TMS1307"
	paused               = "TMS1308"
	noScalerOfKEDA       = "TMS1309"

	installKEDA          = "helm install keda kedacore/keda --namespace keda --create-namespace"
	describeScaledObject = "kubectl describe scaledobject <name> -n <namespace>"
)

var kedaMessages = map[string]Message{
	noKEDA: {
		Level:   Error,
		Text:    "the cluster has no KEDA: the API server does not serve the kind ScaledObject (keda.sh/v1alpha1)",
		Meaning: "With `server.autoscaling.source: keda`, no lease can scale.",
		Command: "kubectl api-resources --api-group=keda.sh",
		Fix:     installKEDA,
		Page:    "install.md#keda-instead-of-prometheus-adapter",
	},
	noKEDAMetrics: {
		Level:   Error,
		Text:    "no KEDA serves external.metrics.k8s.io/v1beta1",
		Meaning: "The HPA reads no metric but `cpuUtilization`.",
		Command: "kubectl get apiservice v1beta1.external.metrics.k8s.io",
		Fix:     installKEDA,
		Page:    "troubleshooting.md#keda-metrics-unavailable",
	},
	kedaMetricsDown: {
		Level:   Error,
		Text:    "external.metrics.k8s.io/v1beta1 is not available: <reason>",
		Meaning: "The HPA reads no metric but `cpuUtilization`, and keeps its replicas.",
		Command: "kubectl get apiservice v1beta1.external.metrics.k8s.io",
		Fix:     "kubectl rollout restart deployment/<name> -n <namespace>",
		Page:    "troubleshooting.md#keda-metrics-unavailable",
	},
	oldKEDA: {
		Level:   Error,
		Text:    "KEDA is too old: its CustomResourceDefinition of ScaledObject has no spec.fallback.behavior",
		Meaning: "While KEDA cannot read a metric, it scales leases down to their minimum.",
		Command: "kubectl explain scaledobject.spec.fallback",
		Fix:     "upgrade KEDA and its CustomResourceDefinitions to 2.18 or later; then upgrade the release of TMS, which sets the field again",
		Page:    "install.md#keda-instead-of-prometheus-adapter",
	},
	noExternalValue: {
		Level:   Error,
		Text:    "external.metrics.k8s.io has no value of <metric> for ScaledObject <name>: <reason>",
		Meaning: "Prometheus has the series. The operator of KEDA does not run, reads another Prometheus, or another server than KEDA serves the API.",
		Command: "kubectl get --raw '/apis/external.metrics.k8s.io/v1beta1/namespaces/<namespace>/<metric>?labelSelector=scaledobject.keda.sh%2Fname%3D<name>'",
		Fix:     "do what the reason says; if it names Prometheus, correct server.autoscaling.prometheus.address",
		Page:    "troubleshooting.md#keda-metrics-unavailable",
	},
	scaledObjectNotReady: {
		Level:   Error,
		Text:    "KEDA does not accept ScaledObject <name>: <reason>",
		Meaning: "KEDA does not scale the lease, and the workload keeps its replicas.",
		Command: describeScaledObject,
		Fix:     "do what the reason and the events say; it often names server.autoscaling.keda.authenticationRef or another ScaledObject or HPA of the same workload",
		Page:    "troubleshooting.md#keda-metrics-unavailable",
	},
	fallsBack: {
		Level:   Error,
		Text:    "KEDA cannot read a metric of ScaledObject <name>, and keeps the replicas",
		Meaning: "Prometheus has the series, but KEDA reads another Prometheus, or Prometheus refuses it.",
		Command: describeScaledObject,
		Fix:     "do what the events say; if they name Prometheus, correct server.autoscaling.prometheus.address or server.autoscaling.keda.authenticationRef",
		Page:    "troubleshooting.md#keda-metrics-unavailable",
	},
	paused: {
		Level:   Error,
		Text:    "ScaledObject <name> is paused, so lease <lease> has no HorizontalPodAutoscaler",
		Meaning: "KEDA deletes the HPA of a ScaledObject that has an annotation `autoscaling.keda.sh/paused` or `paused-replicas`.",
		Command: describeScaledObject,
		Fix:     "kubectl annotate scaledobject <name> -n <namespace> autoscaling.keda.sh/paused- autoscaling.keda.sh/paused-replicas-",
		Page:    "troubleshooting.md#keda-metrics-unavailable",
	},
	noScalerOfKEDA: {
		Level:   Error,
		Text:    "KEDA has made no HorizontalPodAutoscaler from ScaledObject <name>",
		Meaning: "The ScaledObject is new, or the operator of KEDA does not run or does not watch namespace <namespace>.",
		Command: describeScaledObject,
		Fix:     "wait a few seconds; then read the log of the operator of KEDA",
		Page:    "troubleshooting.md#keda-metrics-unavailable",
	},
}
