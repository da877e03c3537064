package doctor

const (
	scalerInactive    = "TMS1301"
	ambiguousSelector = "TMS1302"
	unableToScale     = "TMS1303"
	atMaximum         = "TMS1304"
	replicasNotReady  = "TMS1305"
	notScheduled      = "TMS1310"
)

const describeScaler = "kubectl describe hpa <name> -n <namespace>"

var scalerMessages = map[string]Message{
	scalerInactive: {
		Level:   Error,
		Text:    "the HorizontalPodAutoscaler <name> computes no replicas: <reason>",
		Meaning: "The metrics are available. The HPA reads them every 15 s.",
		Command: describeScaler,
		Fix:     "wait 15 seconds; then do what the reason says",
		Page:    "troubleshooting.md#first-checks",
	},
	ambiguousSelector: {
		Level:   Error,
		Text:    "two HorizontalPodAutoscalers select the pods of <kind> <target>",
		Meaning: "Kubernetes stops both of them.",
		Command: "kubectl get hpa -n <namespace>",
		Fix:     "delete the other HorizontalPodAutoscaler, or the lease with the target",
		Page:    "troubleshooting.md#competing-controllers",
	},
	unableToScale: {
		Level:   Error,
		Text:    "the HorizontalPodAutoscaler <name> cannot change <kind> <target>: <reason>",
		Meaning: "The number of replicas does not change.",
		Command: describeScaler,
		Fix:     "do what the reason says",
		Page:    "troubleshooting.md#no-workload-to-scale",
	},
	atMaximum: {
		Level:   Warning,
		Text:    "the lease is at its maximum of <maximum> replicas, and its metrics ask for more",
		Meaning: "Requests wait longer than the threshold allows.",
		Command: describeScaler,
		Fix:     "raise autoscaling.replicas.maximum of the lease, and server.autoscaling.replicas.limits.maximum if it is lower",
		Page:    "troubleshooting.md#tmsleaseatmaximum",
	},
	replicasNotReady: {
		Level:   Warning,
		Text:    "<ready> of <count> replicas of <kind> <target> are ready",
		Meaning: "New replicas load their models, or wait for a GPU.",
		Command: "kubectl describe pods -n <namespace> -l <selector>",
		Fix:     "wait until the models are loaded; a Pending pod needs a free GPU",
		Page:    "troubleshooting.md#pods-never-ready",
	},
	notScheduled: {
		Level:   Error,
		Text:    "tms-server has made no HorizontalPodAutoscaler from the schedule of lease <lease>, ConfigMap <name>",
		Meaning: "The workload keeps its replicas. tms-server does not run, or waits because another HPA scales the same workload.",
		Command: "kubectl get hpa,events -n <namespace>",
		Fix:     "delete the other HPA, if there is one; otherwise read the log of tms-server",
		Page:    "troubleshooting.md#no-hpa",
	},
}
