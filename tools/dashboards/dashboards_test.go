package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/pkg/policy"
)

const chart = "../../charts/tms"

// model is a dashboard as Grafana reads it.
type model struct {
	UID         string
	Editable    bool
	Panels      []modelPanel
	Templating  struct{ List []modelVariable }
	Annotations struct {
		List []struct {
			Name, Expr string
			Target     struct{ Expr string }
		}
	}
}

type modelPanel struct {
	ID          uint32
	Type        string
	Title       string
	Description string
	Datasource  struct{ UID string }
	GridPos     struct{ X, Y, W, H uint32 }
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
	Targets []struct {
		Expr       string
		RefID      string
		Datasource struct{ UID string }
	}
}

type modelVariable struct{ Type, Name, Query, Regex string }

// models returns the dashboards of the chart, by the name of their file.
func models(t *testing.T) map[string]model {
	t.Helper()
	files, err := filepath.Glob(chart + "/files/dashboards/*.json")
	require.NoError(t, err)
	all := map[string]model{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var m model
		require.NoError(t, json.Unmarshal(text, &m), file)
		all[filepath.Base(file)] = m
	}
	return all
}

// TestFiles checks that the files of the chart are those that the command writes.
func TestFiles(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, write(folder))
	files, err := filepath.Glob(folder + "/*.json")
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		wanted, err := os.ReadFile(file)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(chart, "files/dashboards", filepath.Base(file)))
		require.NoError(t, err)
		require.Equal(t, string(wanted), string(got), "run: make generate")
	}
	require.Len(t, models(t), 3, "a file that the command does not write")
}

// TestDashboards checks what a person expects of each dashboard, as dashboard-linter does:
// each panel has a title, a description, a unit and the data source that the user chooses,
// ids are unique, and no panel covers another.
func TestDashboards(t *testing.T) {
	for file, m := range models(t) {
		require.Equal(t, strings.TrimSuffix(file, ".json"), m.UID)
		require.False(t, m.Editable, "%s: Grafana would lose changes at the next upgrade", file)
		require.Equal(t, modelVariable{Type: "datasource", Name: "datasource", Query: "prometheus"}, m.Templating.List[0], file)
		ids, cells := map[uint32]string{}, map[[2]uint32]string{}
		for _, p := range m.Panels {
			require.NotZero(t, p.ID, "%s: %s", file, p.Title)
			require.Empty(t, ids[p.ID], "%s: %s has the id of another panel", file, p.Title)
			ids[p.ID] = p.Title
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					require.Less(t, x, uint32(24), "%s: %s is too wide", file, p.Title)
					require.Empty(t, cells[[2]uint32{x, y}], "%s: %s covers another panel", file, p.Title)
					cells[[2]uint32{x, y}] = p.Title
				}
			}
			require.NotEmpty(t, p.Title, file)
			if p.Type == "row" {
				continue
			}
			require.True(t, strings.HasSuffix(p.Description, "."), "%s: %s has no description", file, p.Title)
			require.NotEmpty(t, p.FieldConfig.Defaults.Unit, "%s: %s", file, p.Title)
			require.Equal(t, "${datasource}", p.Datasource.UID, "%s: %s", file, p.Title)
			require.NotEmpty(t, p.Targets, "%s: %s", file, p.Title)
			for _, target := range p.Targets {
				require.Equal(t, "${datasource}", target.Datasource.UID, "%s: %s", file, p.Title)
			}
		}
	}
}

// TestAlertPanels checks that the links of alerts lead to a panel, and to a section of the
// troubleshooting page.
func TestAlertPanels(t *testing.T) {
	text, err := os.ReadFile(chart + "/templates/_alerts.tpl")
	require.NoError(t, err)
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	require.NoError(t, err)
	panels := map[string]string{}
	for _, p := range models(t)["tms-lease.json"].Panels {
		if p.ID < firstFreeID {
			number, _ := json.Marshal(p.ID)
			panels[string(number)] = p.Title
		}
	}
	links := regexp.MustCompile(`"alert" "(\w+)" "panel" (\d+)`).FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, links)
	got := map[string]string{}
	for _, link := range links {
		got[link[1]] = panels[link[2]]
		require.Contains(t, string(page), "\n## "+link[1]+"\n")
	}
	require.Equal(t, map[string]string{
		"TMSLeaseMetricsMissing": "Pods that Prometheus scrapes", "TMSLeaseRequestsRejected": "Failed requests",
		"TMSLeaseAtMaximum": "Metrics in percent of their threshold",
	}, got)
	for _, alert := range regexp.MustCompile(`(?m)^- alert: (\w+)`).FindAllStringSubmatch(string(text), -1) {
		require.Contains(t, got, alert[1], "an alert without links")
	}
}

// interpolate replaces the variables of Grafana, so that an expression is PromQL.
var interpolate = strings.NewReplacer("$__rate_interval", "1m", "$__interval", "15s", "$__range", "1h")

// TestQueries checks that each expression of the panels, variables and annotations is
// PromQL, and reads series that something exports: see sources.
func TestQueries(t *testing.T) {
	known := knownSeries(t)
	read := map[string]bool{}
	check := func(where, expr string, variables []string) {
		require.NotEmpty(t, expr, where)
		for _, name := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(interpolate.Replace(expr), -1) {
			if !regexp.MustCompile(`^\d+$`).MatchString(name[1]) { // a group of label_replace
				require.Contains(t, variables, name[1], "%s: an unknown variable", where)
			}
		}
		parsed, err := parser.NewParser(parser.Options{}).ParseExpr(interpolate.Replace(expr))
		require.NoError(t, err, "%s: %s", where, expr)
		parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok {
				require.Contains(t, known, selector.Name, "%s: unknown series", where)
				read[selector.Name] = true
			}
			return nil
		})
	}
	labelValues := regexp.MustCompile(`^label_values\((.+), \w+\)$`)
	queryResult := regexp.MustCompile(`(?s)^query_result\((.+)\)$`)
	for file, m := range models(t) {
		var variables []string
		for _, v := range m.Templating.List {
			if v.Type == "query" {
				expr := v.Query
				if part := labelValues.FindStringSubmatch(expr); part != nil {
					expr = part[1]
				} else {
					part := queryResult.FindStringSubmatch(expr)
					require.NotNil(t, part, "%s: %s: %s", file, v.Name, expr)
					expr = part[1]
					require.NotEmpty(t, v.Regex, "%s: %s", file, v.Name)
				}
				check(file+", variable "+v.Name, expr, variables)
			}
			variables = append(variables, v.Name)
		}
		for _, p := range m.Panels {
			for _, target := range p.Targets {
				check(file+", "+p.Title, target.Expr, variables)
				if strings.Contains(target.Expr, "rate(") {
					require.Contains(t, target.Expr, "[$__rate_interval]", "%s, %s: a rate needs four scrapes at each zoom", file, p.Title)
				}
			}
		}
		for _, a := range m.Annotations.List {
			check(file+", "+a.Name, a.Expr, variables)
			require.Equal(t, a.Expr, a.Target.Expr, "%s, %s: old and new versions of Grafana read different keys", file, a.Name)
		}
	}
	for _, metric := range policy.Metrics() {
		if metric.Series != "" {
			require.True(t, read[metric.Series], "no panel reads %s", metric.Series)
		}
	}
	for name := range known {
		require.True(t, read[name], "no panel reads %s: remove it from sources", name)
	}
}

// sources are the series that dashboards may read, by what exports them.
var sources = map[string][]string{
	// Defaults of kube-state-metrics, without --metric-labels-allowlist.
	"kube-state-metrics": {
		"kube_deployment_spec_replicas",
		"kube_horizontalpodautoscaler_info", "kube_horizontalpodautoscaler_spec_max_replicas", "kube_horizontalpodautoscaler_spec_min_replicas",
		"kube_horizontalpodautoscaler_spec_target_metric", "kube_horizontalpodautoscaler_status_current_replicas",
		"kube_horizontalpodautoscaler_status_desired_replicas", "kube_horizontalpodautoscaler_status_target_metric",
		"kube_pod_container_info", "kube_pod_container_resource_limits", "kube_pod_container_status_restarts_total",
		"kube_pod_created", "kube_pod_info", "kube_pod_status_phase", "kube_pod_status_ready", "kube_pod_status_ready_time",
	},
	"Prometheus": {"ALERTS", "up"},
	// client_golang, controller-runtime and client-go register them in tms-server.
	"libraries of tms-server": {
		"controller_runtime_reconcile_time_seconds_bucket", "controller_runtime_reconcile_total", "go_goroutines", "leader_election_master_status",
		"process_cpu_seconds_total", "process_resident_memory_bytes", "rest_client_requests_total", "workqueue_depth", "workqueue_queue_duration_seconds_bucket",
	},
}

// knownSeries returns sources, and the series that the code of the project defines: the
// recording rules, the metrics of Triton in test/conform, and those of tms-server.
func knownSeries(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, names := range sources {
		for _, name := range names {
			known[name] = true
		}
	}
	for _, m := range policy.Metrics() {
		if m.Series != "" {
			known[m.Series] = true
		}
	}
	find := func(files, pattern string, used ...string) {
		matches, err := filepath.Glob(files)
		require.NoError(t, err)
		var names []string
		for _, file := range matches {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
				names = append(names, found[1])
			}
		}
		for _, name := range used {
			require.True(t, slices.Contains(names, strings.TrimSuffix(name, "_bucket")), "%s does not define %s", files, name)
			known[name] = true
		}
	}
	find(chart+"/templates/_rules.tpl", `record: (\w+)`, "tms_pending_requests")
	find("../../test/conform/testdata/triton-metrics.txt", `(?m)^(nv_\w+)`, "nv_inference_request_success", "nv_inference_request_failure")
	find("../../internal/*/*.go", `"(tms_\w+)"`,
		"tms_leases", "tms_configuration_last_reload_successful", "tms_configuration_last_reload_success_timestamp_seconds",
		"tms_budget_gpus", "tms_budget_gpus_charged", "tms_lease_limit",
		"tms_api_calls_total", "tms_api_call_duration_seconds_bucket", "tms_api_open_calls", "tms_connections", "tms_limited_connections_total")
	return known
}
