package doctor

const (
	valuesPodMonitorLabels = "TMS1401"
	valuesRuleLabels       = "TMS1402"
	valuesNamespace        = "TMS1403"
	mayNotCreate           = "TMS1404"
	kindNotServed          = "TMS1405"
)

const showSelectors = "kubectl get prometheuses.monitoring.coreos.com -A -o yaml | grep -A4 -E '^ +(podMonitor|rule)(Namespace)?Selector:'"

var installMessages = map[string]Message{
	valuesPodMonitorLabels: {
		Level:   Error,
		Text:    "no Prometheus will select PodMonitors with the labels of these values (<labels>): podMonitorSelector is <wanted>",
		Meaning: "After the install, Prometheus will not scrape Triton.",
		Command: showSelectors,
		Fix:     "server: {autoscaling: {prometheus: {podMonitorLabels: {<change>}}}}",
		Page:    "install.md#install-the-prerequisites",
	},
	valuesRuleLabels: {
		Level:   Error,
		Text:    "no Prometheus will select PrometheusRules with the labels of these values (<labels>): ruleSelector is <wanted>",
		Meaning: "After the install, Prometheus will scrape Triton, and will record nothing for the HPA.",
		Command: showSelectors,
		Fix:     "server: {autoscaling: {prometheus: {ruleLabels: {<change>}}}}",
		Page:    "install.md#install-the-prerequisites",
	},
	valuesNamespace: {
		Level:   Error,
		Text:    "no Prometheus reads objects of namespace <namespace>: its labels do not match <selector> (<wanted>)",
		Meaning: "After the install, Prometheus will not scrape Triton, or will record nothing for the HPA.",
		Command: showNamespace,
		Fix:     fixNamespace,
		Page:    "troubleshooting.md#no-triton-metrics",
	},
	mayNotCreate: {
		Level:   Error,
		Text:    "you may not create what the values contain: <resources>",
		Meaning: "The install fails with your kubeconfig.",
		Command: "kubectl auth can-i create <resource> -n <namespace>",
		Fix:     "ask an administrator to install, or to give you the rights",
		Page:    "install.md#check-the-cluster",
	},
	kindNotServed: {
		Level:   Error,
		Text:    "the cluster does not have the kinds that the values contain: <kinds>",
		Meaning: "The install fails.",
		Command: "kubectl api-resources",
		Fix:     "install the project that defines the kinds, or turn the feature off in the values",
		Page:    "install.md#check-the-cluster",
	},
}
