package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"

	"github.com/triton-leases/tms/pkg/policy"
)

const leaseUID = "tms-lease"

// The ids of panels that alerts of the chart name (charts/tms/templates/_alerts.tpl).
const (
	metricsPanel  = 1
	failuresPanel = 2
	scrapesPanel  = 3
)

// ofAutoscaler selects series of the HorizontalPodAutoscaler of the lease, which has another
// name if the lease has a schedule, and ofPods those of its pods.
const (
	ofAutoscaler = `namespace="$namespace", horizontalpodautoscaler=~"$lease([.]schedule)?"`
	ofPods       = `namespace="$namespace", pod=~"$pod"`
)

// leaseVariables choose a lease by the name of its objects: <release>-<lease>. The workload
// has the same name, unless the lease has a target.
func leaseVariables() []*dashboard.QueryVariableBuilder {
	return []*dashboard.QueryVariableBuilder{
		series("namespace", "Namespace", `group by (namespace) (kube_pod_container_info{container="triton"} or kube_horizontalpodautoscaler_spec_target_metric{metric_name=~"tms_.+"})`, "namespace"),
		series("lease", "Lease", strings.ReplaceAll(autoscalers, `=~"$namespace"`, `="$namespace"`), "lease"),
		series("workload", "Workload", `group by (workload) (
  label_replace(kube_horizontalpodautoscaler_info{`+ofAutoscaler+`}, "workload", "$1", "scaletargetref_name", "(.+)")
  or
  label_replace(kube_deployment_spec_replicas{namespace="$namespace", deployment="$lease"}, "workload", "$1", "deployment", "(.+)")
)`, "workload").Hide(dashboard.VariableHideHideVariable),
		variable("pod", "Pod", `label_values(kube_pod_info{namespace="$namespace", created_by_name=~"$workload(-[a-z0-9]+)?"}, pod)`).Multi(true).IncludeAll(true),
	}
}

// lease returns the dashboard of one lease.
func lease() *dashboard.DashboardBuilder {
	d := newDashboard(leaseUID, "TMS / Lease", "One lease: the metrics that it scales by, its replicas, requests and pods.", leaseVariables(), []row{
		{"Scaling", []panel{
			{
				id: metricsPanel, width: 12, title: "Metrics in percent of their threshold", unit: "percent", hundred: true,
				description: "Each metric in effect, as the HorizontalPodAutoscaler read it. Above 100 percent, the lease scales up. The metric with the highest value decides.",
				queries: []query{{`100 * max by (metric_name) (kube_horizontalpodautoscaler_status_target_metric{` + ofAutoscaler + `})
/ max by (metric_name) (kube_horizontalpodautoscaler_spec_target_metric{` + ofAutoscaler + `})`, "{{metric_name}}"}},
			},
			{
				width: 12, title: "Replicas", description: "The replicas that are ready, that exist, and that the HorizontalPodAutoscaler wants, between its minimum and its maximum. A lease that does not scale has only the first two.", unit: "short",
				queries: []query{
					{`count(max by (pod) (kube_pod_status_ready{` + ofPods + `, condition="true"}) == 1)`, "ready"},
					{`count(group by (pod) (kube_pod_info{` + ofPods + `}))`, "pods"},
					{`max(kube_horizontalpodautoscaler_status_desired_replicas{` + ofAutoscaler + `})`, "wanted"},
					{`max(kube_horizontalpodautoscaler_spec_min_replicas{` + ofAutoscaler + `})`, "minimum"},
					{`max(kube_horizontalpodautoscaler_spec_max_replicas{` + ofAutoscaler + `})`, "maximum"},
				},
			},
		}},
		{"Metrics", metricPanels()},
		{"Requests", []panel{
			{
				width: 12, title: "Requests by model", description: "Requests that Triton completed.", unit: "reqps", stacked: true,
				queries: []query{{requestRate("nv_inference_request_success", ofPods, "model"), "{{model}}"}},
			},
			{
				id: failuresPanel, width: 12, title: "Failed requests", description: "Requests that failed, by model and by the reason that Triton names. REJECTED: the request waited for as long as the queue policy of its model allows.", unit: "reqps",
				queries: []query{{requestRate("nv_inference_request_failure", ofPods, "model, reason"), "{{model}}, {{reason}}"}},
			},
			{
				width: 12, title: "Waiting requests by pod", description: "Requests that wait in Triton.", unit: "short",
				queries: []query{{`max by (pod) (tms_pending_requests{` + ofPods + `})`, "{{pod}}"}},
			},
			{
				width: 12, title: "Requests by pod", description: "Requests that Triton completed. If the lines differ, the pods get different loads.", unit: "reqps",
				queries: []query{{requestRate("nv_inference_request_success", ofPods, "pod"), "{{pod}}"}},
			},
		}},
		{"Pods", []panel{
			{
				width: 8, title: "Pods by phase", description: "The pods of the lease: Pending, Running, Failed.", unit: "short", stacked: true,
				queries: []query{{`sum by (phase) (max by (pod, phase) (kube_pod_status_phase{` + ofPods + `})) > 0`, "{{phase}}"}},
			},
			{
				width: 8, title: "Time to ready", description: "The time from the creation of each pod until it was ready. If a pod was not ready for a while, it is the time until it was ready again.", unit: "s",
				queries: []query{{timeToReady(ofPods), "{{pod}}"}},
			},
			{
				width: 8, title: "Restarts", description: "Restarts of containers during the last hour, by pod.", unit: "short",
				queries: []query{{`sum by (pod) (increase(kube_pod_container_status_restarts_total{` + ofPods + `}[1h]))`, "{{pod}}"}},
			},
			{
				id: scrapesPanel, width: 12, title: "Pods that Prometheus scrapes", description: "The pods of the lease from which Prometheus reads the metrics of Triton. Fewer than the ready replicas: the metrics of some are missing.", unit: "short",
				queries: []query{
					{`count(max by (pod) (up{` + ofPods + `}) == 1)`, "scraped"},
					{`count(max by (pod) (kube_pod_status_ready{` + ofPods + `, condition="true"}) == 1)`, "ready"},
				},
			},
			{
				width: 12, title: "GPUs", description: "GPUs of the pods of the lease that run.", unit: "short",
				queries: []query{{`sum by (resource) (max by (pod, container, resource) (kube_pod_container_resource_limits{` + ofPods + `, resource=~"` + gpuResources + `"}) and on (pod) max by (pod) (kube_pod_status_phase{` + ofPods + `, phase="Running"}) == 1)`, "{{resource}}"}},
			},
		}},
	})
	return d.Annotation(scaled("Scaled up", "green", ">")).Annotation(scaled("Scaled down", "blue", "<"))
}

// scaled returns an annotation at each time when the HorizontalPodAutoscaler changed the
// number of replicas. Its value is the new number.
func scaled(name, color, comparison string) *dashboard.AnnotationQueryBuilder {
	const wanted = `max by (horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_desired_replicas{` + ofAutoscaler + `}@before)`
	expr := each(wanted, "@before", "") + "\n" + comparison + "\n" + each(wanted, "@before", " offset $__interval")
	return dashboard.NewAnnotationQueryBuilder().Name(name).Datasource(datasource()).Enable(true).IconColor(color).
		Expr(expr).TitleFormat(name).TextFormat("{{horizontalpodautoscaler}}").Step("15s").
		Target(prometheus.NewDataqueryBuilder().RefId("Anno").Datasource(datasource()).Expr(expr).Interval("15s"))
}

// units are the units of Grafana.
var units = map[policy.Unit]string{policy.Percent: "percent", policy.Microseconds: "µs", policy.Requests: "short"}

// metricPanels returns a panel for each metric of TMS, one for those of the administrator,
// and one for those of KEDA. The panel of a metric that is not in effect is empty, or shows only the
// pods.
func metricPanels() []panel {
	read := func(selector, mean, threshold string) []query {
		return []query{
			{`max by (metric_name) (kube_horizontalpodautoscaler_status_target_metric{` + ofAutoscaler + `, ` + selector + `})`, mean},
			{`max by (metric_name) (kube_horizontalpodautoscaler_spec_target_metric{` + ofAutoscaler + `, ` + selector + `})`, threshold},
		}
	}
	var panels []panel
	for _, metric := range policy.Metrics() {
		p := panel{
			title: string(metric.Name), unit: units[metric.Unit], width: 8,
			description: strings.ToUpper(metric.Description[:1]) + metric.Description[1:] + ": the mean that the HorizontalPodAutoscaler read, and the threshold.",
		}
		if metric.Series == "" {
			p.queries = read(`metric_name="cpu"`, "mean", "threshold")
		} else {
			p.description = strings.TrimSuffix(p.description, ".") + ", and the value of each pod."
			p.queries = append(read(`metric_name="`+metric.Series+`"`, "mean", "threshold"), query{`max by (pod) (` + metric.Series + `{` + ofPods + `})`, "{{pod}}"})
		}
		panels = append(panels, p)
	}
	return append(panels, panel{
		title: "Metrics of the administrator", unit: "short", width: 8,
		description: "The mean that the HorizontalPodAutoscaler read of each metric that server.autoscaling.metrics adds, and its threshold.",
		queries:     read(`metric_name=~"tms_metric_.+"`, "{{metric_name}}", "threshold of {{metric_name}}"),
	}, panel{
		title: "Metrics of KEDA", unit: "short", width: 8,
		description: "The mean that the HorizontalPodAutoscaler read of each metric that KEDA serves, and its threshold. KEDA names a metric after its place among the triggers of the ScaledObject, the first is s0-prometheus.",
		queries:     read(`metric_name=~"s[0-9]+-prometheus"`, "{{metric_name}}", "threshold of {{metric_name}}"),
	})
}
