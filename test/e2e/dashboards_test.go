//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/triton-leases/tms/test/e2e/grafana"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// dashboardValues have every metric in effect, one of the administrator, and a budget.
const dashboardValues = `
metrics: {enabled: true}
server:
  leases: {budget: {gpus: 8}}
  autoscaling:
    metrics:
      cpuUtilization: {enabled: true, threshold: {default: 90}}
      gpuUtilization: {enabled: true, threshold: {default: 90}}
      firstResponseTime: {enabled: true, threshold: {default: 400000}}
      waitingRequests: {enabled: true, threshold: {default: 10}}
      busy: {enabled: true, unit: percent, query: '100 * max by (namespace, pod) (nv_gpu_utilization{$pods})', threshold: {default: 95, minimum: 50}}
`

// withoutData are the queries that return nothing in this scenario, by dashboard and panel,
// and the reasons.
var withoutData = map[string]string{
	"tms-lease: Metrics of KEDA":      "prometheus-adapter serves the metrics",
	"tms-server: Limited connections": "no connection is beyond a limit, and the counter begins with the first one",
}

// TestDashboards checks that each variable, panel and annotation of the dashboards has data
// under load. It resolves the variables with their own queries, as Grafana does. The lease
// scales on all metrics: one replica, three under load, one again. The results are drawn
// into the folder of plots.
func TestDashboards(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "dashboards")
	a := s.ownAPI(3, dashboardValues)
	user := a.user("scientist", allVerbs...)
	a.waitAuthorized(user, "List", fields{"namespace": a.namespace})
	const lease, object = "resnet50", "tms-resnet50"
	a.apply(lease, `{models: [{name: resnet50, uri: "s3://models/vision"}, {name: bert, uri: "s3://models/text"}],
  triton: {resources: {limits: {nvidia.com/gpu: 1}}}, autoscaling: {enable: true, replicas: {maximum: 3}}}`)
	a.apply("fixed", `{models: [{name: resnet50, uri: "s3://models/vision"}]}`)
	a.serves(lease)
	a.serves("fixed")
	for _, metric := range []string{queueMetric, firstMetric, gpuMetric, cpuMetric} {
		s.reads(a.namespace, object, metric)
	}
	start := time.Now()
	workload := a.namespace + "/" + object
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.CPU, b.QueueTimeout = 0.1, 900*time.Millisecond })
	s.load(a.namespace+"/tms-fixed", 5)
	s.load(workload, 10)
	for range 20 {
		if code, err := codeOf(user.call(s.Context(), "Status", fields{"namespace": a.namespace, "id": "none"}, nil)); code != "not_found" {
			s.fatal("the status of a lease that does not exist: %v", err)
		}
		user.status(lease)
		s.pause(time.Second)
	}
	s.load(workload, 300)
	s.becomes(a.namespace, object, 3)
	s.pause(20 * time.Second)
	d := &dashboards{scenario: s, namespace: a.namespace, start: start}
	d.check("tms-fleet", map[string]string{"namespace": a.namespace})
	d.check("tms-server", map[string]string{"namespace": a.namespace})
	d.check("tms-lease", map[string]string{"namespace": a.namespace, "lease": object})
	d.resolves("tms-lease", map[string]string{"namespace": a.namespace, "lease": "tms-fixed"})

	s.load(workload, 5)
	s.becomes(a.namespace, object, 1)
	s.pause(20 * time.Second)
	d.check("tms-lease", map[string]string{"namespace": a.namespace, "lease": object}) // also the annotation of the scale-down
	for _, uid := range []string{"tms-fleet", "tms-lease", "tms-server"} {
		d.draw(uid, map[string]string{"namespace": a.namespace, "lease": object})
	}
}

// dashboards runs the queries of dashboards over the time since start.
type dashboards struct {
	*scenario
	namespace string
	start     time.Time
}

// dashboardStep is the distance of two points: KSM and Triton are scraped every 2 s.
const dashboardStep = 5 * time.Second

func (d *dashboards) read(uid string) grafana.Dashboard {
	d.Helper()
	board, err := grafana.Read(filepath.Join(h.Chart, "files", "dashboards", uid+".json"))
	d.must(err)
	return board
}

// resolves waits until each variable has values, and returns them. Chosen are the values
// that the user chooses; of the other variables it chooses all or the first.
func (d *dashboards) resolves(uid string, chosen map[string]string) grafana.Scope {
	d.Helper()
	scope := grafana.Scope{Values: map[string][]string{}, Step: dashboardStep, RateInterval: 20 * time.Second}
	for _, v := range d.read(uid).Templating.List {
		if v.Type != "query" {
			continue
		}
		v.Query = scope.Interpolate(v.Query)
		d.eventually(fmt.Sprintf("%s: the variable %s has values", uid, v.Name), func() (bool, string) {
			values, err := d.values(v)
			choice, chooses := chosen[v.Name]
			switch {
			case err != nil:
				return false, err.Error()
			case chooses && slices.Contains(values, choice):
				scope.Values[v.Name] = []string{choice}
			case !chooses && v.IncludeAll:
				scope.Values[v.Name] = values
			case !chooses && len(values) > 0:
				scope.Values[v.Name] = values[:1]
			}
			return len(scope.Values[v.Name]) > 0, fmt.Sprint(values)
		})
	}
	return scope
}

// values returns the values of a variable.
func (d *dashboards) values(v grafana.Variable) ([]string, error) {
	if selector, label, ok := v.LabelValues(); ok {
		return h.Prometheus.LabelValues(d.Context(), selector, label, d.start, time.Now())
	}
	expr, ok := v.QueryResult()
	if !ok {
		return nil, fmt.Errorf("no query of a variable: %s", v.Query)
	}
	samples, err := h.Prometheus.Query(d.Context(), expr)
	if err != nil {
		return nil, err
	}
	labels := make([]map[string]string, len(samples))
	for i, sample := range samples {
		labels[i] = sample.Metric
	}
	return v.Values(labels)
}

// check waits until each query of the panels returns data, except withoutData. Those of
// the annotations must be valid, and return data once the lease has scaled.
func (d *dashboards) check(uid string, chosen map[string]string) {
	d.Helper()
	scope := d.resolves(uid, chosen)
	board := d.read(uid)
	queries := 0
	for _, panel := range board.Panels {
		for _, query := range panel.Targets {
			name := uid + ": " + panel.Title
			if reason, excepted := withoutData[name]; excepted {
				if _, err := d.run(scope, query, time.Now()); err != nil {
					d.fatal("%s: %v", name, err)
				}
				d.step("%s may have no data: %s", name, reason)
				continue
			}
			queries++
			d.eventually(fmt.Sprintf("%s (%s) has data", name, query.LegendFormat), func() (bool, string) {
				series, err := d.run(scope, query, time.Now())
				known := slices.ContainsFunc(series, func(one grafana.Series) bool { return len(one.Known()) > 0 })
				return err == nil && known, fmt.Sprintf("%d series, %v", len(series), err)
			})
		}
	}
	for _, annotation := range board.Annotations.List {
		events, err := d.run(scope, grafana.Query{Expr: annotation.Expr}, time.Now())
		d.must(err)
		d.step("%s: %s: %d series of events", uid, annotation.Name, len(events))
		if len(events) == 0 && (annotation.Name == "Scaled up" || d.scaledDown()) {
			d.fatal("%s: no event of %s", uid, annotation.Name)
		}
	}
	if queries == 0 {
		d.fatal("%s has no queries", uid)
	}
	d.step("%s: %d queries return data", uid, queries)
}

// scaledDown reports whether the load is low again.
func (d *dashboards) scaledDown() bool {
	return h.Fleet.Behavior(d.namespace+"/tms-resnet50").Rate == 5
}

// run returns the series of a query over the time since start, or its last values.
func (d *dashboards) run(scope grafana.Scope, query grafana.Query, end time.Time) ([]grafana.Series, error) {
	expr := scope.Interpolate(query.Expr)
	if query.Instant {
		samples, err := h.Prometheus.Query(d.Context(), expr)
		var all []grafana.Series
		for _, sample := range samples {
			point, err := sample.Number()
			if err != nil {
				return nil, err
			}
			all = append(all, grafana.Series{Name: query.Legend(sample.Metric), Points: []grafana.Point{{Time: end, Value: point}}})
		}
		return all, err
	}
	results, err := h.Prometheus.QueryRange(d.Context(), expr, d.start, end, dashboardStep)
	var all []grafana.Series
	for _, result := range results {
		series := grafana.Series{Name: query.Legend(result.Metric)}
		for _, point := range result.Points {
			series.Points = append(series.Points, grafana.Point(point))
		}
		all = append(all, series)
	}
	return all, err
}

// draw draws what a dashboard shows now into the folder of plots.
func (d *dashboards) draw(uid string, chosen map[string]string) {
	d.Helper()
	scope, board, end := d.resolves(uid, chosen), d.read(uid), time.Now()
	picture := grafana.Picture{Title: board.Title, Start: d.start, End: end, Step: dashboardStep}
	var events []grafana.Event
	for _, annotation := range board.Annotations.List {
		series, err := d.run(scope, grafana.Query{Expr: annotation.Expr}, end)
		d.must(err)
		for _, one := range series {
			for _, point := range one.Points {
				events = append(events, grafana.Event{Time: point.Time, Color: annotation.IconColor})
			}
		}
	}
	for _, panel := range board.Panels {
		frame := grafana.Frame{Panel: panel, Events: events}
		for _, query := range panel.Targets {
			series, err := d.run(scope, query, end)
			d.must(err)
			frame.Series = append(frame.Series, series...)
		}
		picture.Frames = append(picture.Frames, frame)
	}
	path := filepath.Join(h.Results, "dashboard-"+strings.TrimPrefix(uid, "tms-")+".svg")
	d.must(os.MkdirAll(h.Results, 0o755))
	d.must(os.WriteFile(path, []byte(picture.SVG()), 0o644))
	d.step("picture: %s", path)
}
