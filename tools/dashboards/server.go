package main

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

const serverUID = "tms-server"

// server returns the dashboard of one tms-server.
func server() *dashboard.DashboardBuilder {
	const of = `namespace="$namespace", job="$job"`
	variables := []*dashboard.QueryVariableBuilder{
		variable("namespace", "Namespace", `label_values(tms_configuration_last_reload_successful, namespace)`),
		variable("job", "Job", `label_values(tms_configuration_last_reload_successful{namespace="$namespace"}, job)`),
	}
	rate := func(labels, counter string) string {
		return each(`sum by (@labels) (rate(@counter[$__rate_interval]))`, "@labels", labels, "@counter", counter)
	}
	quantiles := func(histogram, labels string) []query {
		quantile := func(q, by string) string {
			return each(`histogram_quantile(@q, sum by (@by) (rate(@histogram[$__rate_interval])))`, "@q", q, "@by", by, "@histogram", histogram)
		}
		if labels == "" {
			return []query{{quantile("0.5", "le"), "median"}, {quantile("0.99", "le"), "99th percentile"}}
		}
		return []query{{quantile("0.99", "le, "+labels), "{{" + labels + "}}"}}
	}
	return newDashboard(serverUID, "TMS / Server", "One tms-server: its replicas, its work, its API and its resources.", variables, []row{
		{"Now", []panel{
			{
				stat: true, width: 4, title: "Replicas", description: "Replicas of tms-server that Prometheus scrapes.", unit: "short",
				queries: []query{{`count(up{` + of + `} == 1)`, ""}},
			},
			{
				stat: true, width: 8, title: "Leader", description: "The replica that leads and reconciles.", unit: "short",
				queries: []query{{`max by (pod) (leader_election_master_status{` + of + `}) == 1`, "{{pod}}"}},
			},
			{
				stat: true, width: 4, title: "Configuration", description: "1: the configuration is in force. 0: a replica cannot read it or it is invalid, and the previous one is in force. The log of tms-server has the reason.", unit: "short",
				queries: []query{{`min(tms_configuration_last_reload_successful{` + of + `})`, ""}},
			},
			{
				stat: true, width: 4, title: "Age of the configuration", description: "The time since the configuration in force was read.", unit: "s",
				queries: []query{{`time() - max(tms_configuration_last_reload_success_timestamp_seconds{` + of + `})`, ""}},
			},
			{
				stat: true, width: 4, title: "Limit of granted leases", description: "server.leases.limits.leases. It is empty if there is no limit.", unit: "short",
				queries: []query{{`max(tms_lease_limit{` + of + `, resource="leases"})`, ""}},
			},
		}},
		{"TritonLeases", []panel{
			{
				width: 8, title: "Granted", description: "TritonLeases, by the reason of their condition Granted.", unit: "short", stacked: true,
				queries: []query{{`max by (status, reason) (tms_leases{` + of + `, condition="Granted"})`, "{{status}}, {{reason}}"}},
			},
			{
				width: 8, title: "Ready", description: "TritonLeases, by the reason of their condition Ready.", unit: "short", stacked: true,
				queries: []query{{`max by (status, reason) (tms_leases{` + of + `, condition="Ready"})`, "{{status}}, {{reason}}"}},
			},
			{
				width: 8, title: "Autoscaling", description: "TritonLeases, by the reason of their condition Autoscaling.", unit: "short", stacked: true,
				queries: []query{{`max by (status, reason) (tms_leases{` + of + `, condition="Autoscaling"})`, "{{status}}, {{reason}}"}},
			},
		}},
		{"Reconciles", []panel{
			{
				width: 12, title: "Reconciles", description: "Calls of Reconcile, by controller and result.", unit: "ops",
				queries: []query{{rate("controller, result", `controller_runtime_reconcile_total{`+of+`}`), "{{controller}}, {{result}}"}},
			},
			{
				width: 12, title: "Duration of a reconcile", description: "The 99th percentile, by controller.", unit: "s",
				queries: quantiles(`controller_runtime_reconcile_time_seconds_bucket{`+of+`}`, "controller"),
			},
			{
				width: 12, title: "Queue", description: "Leases and namespaces that wait for a reconcile in the leader, by controller. The queues of the other replicas are full until they lead.", unit: "short",
				queries: []query{{`sum by (name) (workqueue_depth{` + of + `} and on (pod) leader_election_master_status{` + of + `} == 1)`, "{{name}}"}},
			},
			{
				width: 12, title: "Time in the queue", description: "The 99th percentile of the time from a change until its reconcile begins, by controller.", unit: "s",
				queries: quantiles(`workqueue_queue_duration_seconds_bucket{`+of+`}`, "name"),
			},
		}},
		{"Kubernetes API", []panel{
			{
				width: 12, title: "Requests to the API server", description: "Requests of tms-server, by method and status code.", unit: "reqps",
				queries: []query{{rate("method, code", `rest_client_requests_total{`+of+`}`), "{{method}} {{code}}"}},
			},
			{
				width: 12, title: "Failed requests to the API server", description: "Requests with a status code of 400 or more. 404: an object or a kind does not exist, such as a kind of the Gateway API. 409: another client changed the object, and tms-server tries again. 429: the API server limits tms-server.", unit: "reqps",
				queries: []query{{rate("method, code", `rest_client_requests_total{`+of+`, code!~"[123].."}`), "{{method}} {{code}}"}},
			},
		}},
		{"Lease API", []panel{
			{
				width: 12, title: "Calls", description: "Calls that ended, by procedure. It is empty if server.apiService.enabled is false.", unit: "reqps",
				queries: []query{{rate("procedure", `tms_api_calls_total{`+of+`}`), "{{procedure}}"}},
			},
			{
				width: 12, title: "Failed calls", description: "Calls that ended with an error, by code. resource_exhausted: the caller is over a limit (server.apiService.callsPerSecond, openCalls). unread: the request could not be read.", unit: "reqps",
				queries: []query{{rate("procedure, code", `tms_api_calls_total{`+of+`, code!="ok"}`), "{{procedure}}, {{code}}"}},
			},
			{
				width: 12, title: "Duration of calls", description: "The 99th percentile, by procedure. An Acquire takes as long as the models load.", unit: "s",
				queries: quantiles(`tms_api_call_duration_seconds_bucket{`+of+`}`, "procedure"),
			},
			{
				width: 12, title: "Open calls and connections", description: "Calls that run, by procedure, and open connections, by port.", unit: "short",
				queries: []query{
					{`sum by (procedure) (tms_api_open_calls{` + of + `})`, "{{procedure}}"},
					{`sum by (port) (tms_connections{` + of + `})`, "connections {{port}}"},
				},
			},
			{
				width: 24, title: "Limited connections", description: "Connections that tms-server closed because of a limit. address: server.apiService.connections.perAddress. maximum: server.apiService.connections.maximum. preempted: a connection without a call made room.", unit: "cps",
				queries: []query{{rate("reason", `tms_limited_connections_total{`+of+`}`), "{{reason}}"}},
			},
		}},
		{"Resources", []panel{
			{
				width: 8, title: "Memory", description: "Resident memory of each replica, and the memory limit of its container.", unit: "bytes",
				queries: []query{
					{`max by (pod) (process_resident_memory_bytes{` + of + `})`, "{{pod}}"},
					{`max(kube_pod_container_resource_limits{namespace="$namespace", resource="memory"} and on (pod) up{` + of + `})`, "limit"},
				},
			},
			{
				width: 8, title: "CPU", description: "CPU time of each replica, in cores.", unit: "short",
				queries: []query{{rate("pod", `process_cpu_seconds_total{`+of+`}`), "{{pod}}"}},
			},
			{
				width: 8, title: "Goroutines", description: "Goroutines of each replica.", unit: "short",
				queries: []query{{`max by (pod) (go_goroutines{` + of + `})`, "{{pod}}"}},
			},
		}},
	})
}
