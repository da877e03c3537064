package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const fleetUID = "tms-fleet"

// autoscalers are the leases with a HorizontalPodAutoscaler, by the label lease: the name of
// the lease's objects. They read a metric of TMS, or scale a workload of Triton, or have its
// name. The last two scale by CPU only, or by KEDA, which has no names of its own for metrics.
var autoscalers = `group by (namespace, lease) (
  ` + named(`kube_horizontalpodautoscaler_spec_target_metric{namespace=~"$namespace", metric_name=~"tms_.+"}`) + `
  or
  ` + named(`kube_horizontalpodautoscaler_info{namespace=~"$namespace"}`) + ` and on (namespace, scaletargetref_name) ` + tritonWorkloads("scaletargetref_name") + `
  or
  ` + tritonWorkloads("lease") + `
)`

// named adds the label lease to series of a HorizontalPodAutoscaler. That of a lease of the
// values with a schedule is called <lease>.schedule.
func named(expr string) string {
	return `label_replace(` + expr + `, "lease", "$1", "horizontalpodautoscaler", "(.+?)([.]schedule)?")`
}

// tritonWorkloads returns the names of the Deployments of Triton, as a label.
func tritonWorkloads(label string) string {
	return each(`label_replace(kube_pod_container_info{namespace=~"$namespace", container="triton"}, "@label", "$1", "pod", "(.+)-[^-]+-[^-]+")`, "@label", label)
}

// ofLeases returns a series of kube-state-metrics for each lease with a
// HorizontalPodAutoscaler.
func ofLeases(series string) string {
	return each(`(max by (namespace, lease) (@series)
and on (namespace, lease)
@autoscalers)`, "@series", named(series+`{namespace=~"$namespace"}`), "@autoscalers", autoscalers)
}

// The pods of leases, by namespace and pod, and those of them that are ready. The
// container of a lease is called triton, unless the lease has a target.
const (
	tritonPods = `group by (namespace, pod) (kube_pod_container_info{namespace=~"$namespace", container="triton"})`
	readyPods  = `(max by (namespace, pod) (kube_pod_status_ready{namespace=~"$namespace", condition="true"}) == 1
and on (namespace, pod)
` + tritonPods + `)`
)

// gpuResources matches the resources that are GPUs, as server.leases.limits.gpus counts
// them.
const gpuResources = `(?i).*gpu.*|nvidia_com_mig_.*`

// requestRate returns the requests per second of a counter of Triton, by some labels. A pod
// counts once, even if two monitors scrape it.
func requestRate(counter, selector, labels string) string {
	by := "namespace, pod, model, version"
	if counter == "nv_inference_request_failure" {
		by += ", reason"
	}
	return each(`sum by (@labels) (max by (@by) (rate(@counter{@selector}[$__rate_interval])))`,
		"@labels", labels, "@by", by, "@counter", counter, "@selector", selector)
}

// fleet returns the dashboard of all leases.
func fleet() *dashboard.DashboardBuilder {
	const inNamespaces = `namespace=~"$namespace"`
	toLease := []cog.Builder[dashboard.DashboardLink]{
		dashboard.NewDashboardLinkBuilder("Lease").Type(dashboard.DashboardLinkTypeLink).
			Url("/d/" + leaseUID + "?var-datasource=${datasource}&var-namespace=${__field.labels.namespace}&var-lease=${__field.labels.lease}&${__url_time_range}"),
	}
	variables := []*dashboard.QueryVariableBuilder{
		series("namespace", "Namespace", `group by (namespace) (kube_pod_container_info{container="triton"} or kube_horizontalpodautoscaler_spec_target_metric{metric_name=~"tms_.+"})`, "namespace").
			Multi(true).IncludeAll(true),
	}
	return newDashboard(fleetUID, "TMS / Fleet", "All leases of Triton: replicas, GPUs and requests.", variables, []row{
		{"Now", []panel{
			{
				stat: true, width: 4, title: "Autoscaled leases", description: "Leases with a HorizontalPodAutoscaler.", unit: "short",
				queries: []query{{`count(` + ofLeases("kube_horizontalpodautoscaler_spec_max_replicas") + `)`, ""}},
			},
			{
				stat: true, width: 4, title: "Leases at their maximum", description: "Autoscaled leases that have as many replicas as they may have.", unit: "short",
				queries: []query{{`count(` + ofLeases("kube_horizontalpodautoscaler_status_current_replicas") + "\n>= on (namespace, lease)\n" + ofLeases("kube_horizontalpodautoscaler_spec_max_replicas") + ") or vector(0)", ""}},
			},
			{
				stat: true, width: 4, title: "Ready replicas", description: "Pods of leases that are ready, without those of leases with a target.", unit: "short",
				queries: []query{{`count(` + readyPods + `)`, ""}},
			},
			{
				stat: true, width: 4, title: "Replicas that are not ready", description: "Pods of leases that start, wait for a node, or fail.", unit: "short",
				queries: []query{{`count(` + tritonPods + "\nunless on (namespace, pod)\n" + readyPods + `) or vector(0)`, ""}},
			},
			{
				stat: true, width: 4, title: "GPUs in use", description: "GPUs of the pods of leases that run.", unit: "short",
				queries: []query{{gpusInUse(""), ""}},
			},
			{
				stat: true, width: 4, title: "Alerts that fire", description: "The number of alerts of leases that fire now.", unit: "short",
				queries: []query{{`count(ALERTS{alertname=~"TMSLease.+", alertstate="firing", namespace=~"$namespace"}) or vector(0)`, ""}},
			},
		}},
		{"Leases", []panel{
			{
				width: 12, title: "TritonLeases by state", description: "TritonLeases of all namespaces, by the reason of their condition Ready. tms-server counts them.", unit: "short", stacked: true,
				queries: []query{{`sum by (reason) (max by (namespace, job, status, reason) (tms_leases{condition="Ready"}))`, "{{reason}}"}},
			},
			{
				width: 12, title: "Leases at their maximum", description: "Autoscaled leases that have as many replicas as they may have. Click a series to see the lease.", unit: "short", links: toLease,
				queries: []query{{ofLeases("kube_horizontalpodautoscaler_status_current_replicas") + "\n>= on (namespace, lease)\n" + ofLeases("kube_horizontalpodautoscaler_spec_max_replicas"), "{{namespace}}/{{lease}}"}},
			},
		}},
		{"Replicas", []panel{
			{
				width: 12, title: "Replicas of autoscaled leases", description: "The replicas that exist, those that the HorizontalPodAutoscalers want, and the sums of the minimums and maximums that the leases were granted.", unit: "short",
				queries: []query{
					{`sum(` + ofLeases("kube_horizontalpodautoscaler_status_current_replicas") + `)`, "now"},
					{`sum(` + ofLeases("kube_horizontalpodautoscaler_status_desired_replicas") + `)`, "wanted"},
					{`sum(` + ofLeases("kube_horizontalpodautoscaler_spec_min_replicas") + `)`, "minimum"},
					{`sum(` + ofLeases("kube_horizontalpodautoscaler_spec_max_replicas") + `)`, "maximum"},
				},
			},
			{
				width: 12, title: "Replicas by lease", description: "The replicas of each autoscaled lease. Click a series to see the lease.", unit: "short", links: toLease, stacked: true,
				queries: []query{{ofLeases("kube_horizontalpodautoscaler_status_current_replicas"), "{{namespace}}/{{lease}}"}},
			},
			{
				width: 12, title: "Ready replicas by namespace", description: "Pods of leases that are ready, without those of leases with a target.", unit: "short", stacked: true,
				queries: []query{{`count by (namespace) (` + readyPods + `)`, "{{namespace}}"}},
			},
			{
				width: 12, title: "Time to ready", description: "The time from the creation of a pod until it was ready, of the pods that are ready now. If a pod was not ready for a while, it is the time until it was ready again.", unit: "s",
				queries: []query{
					{`quantile by (namespace) (0.5, ` + timeToReady(inNamespaces) + ` and on (namespace, pod) ` + tritonPods + `)`, "median, {{namespace}}"},
					{`max by (namespace) (` + timeToReady(inNamespaces) + ` and on (namespace, pod) ` + tritonPods + `)`, "longest, {{namespace}}"},
				},
			},
		}},
		{"GPUs", []panel{
			{
				width: 12, title: "GPUs in use", description: "GPUs of the pods of leases that run.", unit: "short", stacked: true,
				queries: []query{{gpusInUse("by (namespace) "), "{{namespace}}"}},
			},
			{
				width: 12, title: "GPU budget", description: "The budget of each namespace, and what its TritonLeases are charged: the GPUs of their highest numbers of replicas. It is empty if server.leases.budget is not set.", unit: "short",
				queries: []query{
					{`max by (exported_namespace) (tms_budget_gpus_charged{exported_namespace=~"$namespace"})`, "charged, {{exported_namespace}}"},
					{`max by (exported_namespace) (tms_budget_gpus{exported_namespace=~"$namespace"})`, "budget, {{exported_namespace}}"},
				},
			},
		}},
		{"Requests", []panel{
			{
				width: 12, title: "Requests", description: "Requests that Triton completed.", unit: "reqps", stacked: true,
				queries: []query{{requestRate("nv_inference_request_success", inNamespaces, "namespace"), "{{namespace}}"}},
			},
			{
				width: 12, title: "Failed requests", description: "Requests that failed, by the reason that Triton names. REJECTED: the request waited for as long as the queue policy of its model allows.", unit: "reqps",
				queries: []query{{requestRate("nv_inference_request_failure", inNamespaces, "namespace, reason"), "{{namespace}}, {{reason}}"}},
			},
		}},
	})
}

// gpusInUse returns the GPUs of running pods, summed by some labels.
func gpusInUse(by string) string {
	return each(`sum @by(
max by (namespace, pod, container, resource) (kube_pod_container_resource_limits{namespace=~"$namespace", resource=~"@gpus"})
and on (namespace, pod) max by (namespace, pod) (kube_pod_status_phase{namespace=~"$namespace", phase="Running"}) == 1
and on (namespace, pod) @pods)`, "@by", by, "@gpus", gpuResources, "@pods", tritonPods)
}

// timeToReady returns the seconds from the creation of a pod until it was ready.
func timeToReady(selector string) string {
	return each(`(max by (namespace, pod) (kube_pod_status_ready_time{@selector})
- max by (namespace, pod) (kube_pod_created{@selector}))`, "@selector", selector)
}
