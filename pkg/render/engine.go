package render

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/stencil"
	"github.com/triton-leases/tms/pkg/policy"
)

// grantsKey is the key of the values from which templates read the grants. The chart's
// _grants.tpl documents it, and calls the chart's own policy if the key is missing.
const grantsKey = "__grants"

// firstShapeName is the index of the placeholder for the name of the first shape in a
// run of the engine. The indexes of all other parameters are lower.
const firstShapeName = 10_000_000

// renderShapes renders the shapes that have no manifests yet, in one run of the engine.
func (lr *LeaseRenderer) renderShapes(leases []*GrantedLease) error {
	lr.shapes.lock.Lock()
	defer lr.shapes.lock.Unlock()
	var missing []*shape
	queued := map[*shape]bool{}
	for _, g := range leases {
		if g.shape.yaml == nil && !queued[g.shape] {
			queued[g.shape] = true
			missing = append(missing, g.shape)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	specs, grants := map[string]any{}, map[string]any{}
	for i, s := range missing {
		name := lr.placeholders.At(firstShapeName + i)
		specs[name] = s.spec
		grants[name] = lr.grantValue(s, name)
	}
	release := lr.release
	release.Namespace = lr.placeholders.At(namespaceParameter)
	texts, err := lr.run(lr.renderer.perLease, release, lr.leaseValues, specs, grants, nil)
	if err != nil {
		return err
	}
	return lr.assignManifests(missing, texts)
}

// assignManifests assigns the rendered manifests to their shapes, as stencils. Each document names
// its shape with a placeholder.
func (lr *LeaseRenderer) assignManifests(shapes []*shape, texts map[string]string) error {
	manifests := make([][]*stencil.Stencil, len(shapes)) // a shape has all of them, or none
	for i := range manifests {
		manifests[i] = make([]*stencil.Stencil, len(kinds))
	}
	for k, kind := range kinds {
		for _, text := range helmchart.Split(texts[lr.renderer.chart.Path(kind.Template)]) {
			index, found := lr.placeholders.Find(text, firstShapeName)
			if !found {
				return fmt.Errorf("%s: a document does not name its lease", kind.Template)
			}
			text = strings.ReplaceAll(text, lr.placeholders.At(index), lr.placeholders.At(nameParameter))
			manifests[index-firstShapeName][k] = lr.placeholders.Cut(text)
		}
	}
	for i, s := range shapes {
		s.yaml = manifests[i]
	}
	return nil
}

// jsonOf returns the manifest of one kind as JSON, or nil if the shape has none. It is made
// on the first call: tms-render usually needs only YAML. The caller holds the lock of the
// cache.
func (lr *LeaseRenderer) jsonOf(s *shape, k int) (*stencil.Stencil, error) {
	if s.json == nil {
		s.json = make([]*stencil.Stencil, len(kinds))
	}
	if s.yaml[k] == nil {
		return nil, nil
	}
	if s.json[k] == nil {
		manifest, err := lr.placeholders.CutJSON(lr.placeholders.Restore(s.yaml[k]), jsonItem)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kinds[k].Template, err)
		}
		s.json[k] = manifest
	}
	return s.json[k], nil
}

// allJSON returns the manifests of a shape as JSON, one for each of kinds.
func (lr *LeaseRenderer) allJSON(s *shape) ([]*stencil.Stencil, error) {
	lr.shapes.lock.Lock()
	defer lr.shapes.lock.Unlock()
	for k := range kinds {
		if _, err := lr.jsonOf(s, k); err != nil {
			return nil, err
		}
	}
	return s.json, nil // it changes no more
}

// renderShared renders the documents that do not belong to one lease. Their templates may
// read only name, models, autoscaled and scheduled of a grant, and only the part of a spec that is not a
// parameter. The monitors that leases share are among them: the templates get what the
// leases need together.
func (lr *LeaseRenderer) renderShared(leases []*GrantedLease) ([]helmchart.Document, error) {
	specs, grants := make(map[string]any, len(leases)), make(map[string]any, len(leases))
	for _, g := range leases {
		specs[g.Name] = g.shape.spec
		grants[g.Name] = map[string]any{"name": g.ObjectName, "autoscaled": g.Grant.Autoscaled, "scheduled": len(g.Grant.Schedule) > 0, "models": lr.modelsOf(g)}
	}
	chart := lr.renderer.shared
	if lr.decoded.Server.Enabled {
		chart = lr.renderer.withServer
	}
	var monitors map[string]any
	if lr.SharesMonitors() {
		monitors = lr.sharedValue(needsOf(leases))
	}
	texts, err := lr.run(chart, lr.release, lr.values, specs, grants, monitors)
	if err != nil {
		return nil, err
	}
	return helmchart.Sort(texts)
}

// modelsOf returns the names of the models of a lease, whose shape may have placeholders.
func (lr *LeaseRenderer) modelsOf(g *GrantedLease) []any {
	models, _ := g.shape.spec["models"].([]any)
	names := make([]any, len(models))
	for i, model := range models {
		name, _ := model.(map[string]any)["name"].(string)
		names[i] = string(lr.placeholders.Cut(name).Append(nil, g.parameters))
	}
	return names
}

// grantValue returns the grant of the lease with a name for the templates, with
// placeholders, as _grants.tpl documents it.
func (lr *LeaseRenderer) grantValue(s *shape, name string) map[string]any {
	parameter, grant := lr.placeholders.At, s.grant
	path := leasesKey + "." + name
	if lr.release.Controller {
		path = "spec"
	}
	value := map[string]any{
		"name": parameter(objectNameParameter), "path": path, "autoscaled": grant.Autoscaled, "scheduled": grant.Scheduled, "renewed": grant.Renewed, "connectionAge": grant.ConnectionAge,
		"ownMonitors": lr.MonitorsPerLease() || s.hasTarget(),
		"minReplicas": parameter(minReplicasParameter), "maxReplicas": parameter(maxReplicasParameter),
	}
	if lr.release.Controller {
		value["serverNamespace"] = lr.release.Namespace
	}
	if grant.Reloaded {
		value["reloadedAt"] = parameter(reloadedAtParameter)
	}
	metrics := make([]any, len(grant.Metrics))
	for i, name := range grant.Metrics {
		metric := metricValue(lr.metrics[name])
		metric["threshold"] = parameter(grant.threshold(i))
		metrics[i] = metric
	}
	adjustments := make([]any, grant.Adjustments)
	for i := range adjustments {
		adjustments[i] = parameter(grant.adjustment(i))
	}
	entries := make([]any, grant.Entries)
	for i := range entries {
		first := grant.entry(i)
		entries[i] = map[string]any{
			"cron": parameter(first + cronParameter), "timeZone": parameter(first + timeZoneParameter),
			"minReplicas": parameter(first + entryMinReplicasParameter), "maxReplicas": parameter(first + entryMaxReplicasParameter),
		}
	}
	value["metrics"], value["adjustments"], value["schedule"] = metrics, adjustments, entries
	return value
}

// metricValue returns a metric for the templates, without the threshold.
func metricValue(metric policy.Metric) map[string]any {
	return map[string]any{
		"name": string(metric.Name), "series": metric.Series, "unit": string(metric.Unit), "waiting": metric.Waiting, "query": metric.Query,
	}
}

// run runs Helm's engine over the templates of a chart. shared is what sharedValue returns,
// or nil if no monitors are shared.
func (lr *LeaseRenderer) run(chart *helmchart.Chart, release Release, values, specs, grants, shared map[string]any) (map[string]string, error) {
	ruleLabels := make(map[string]any, len(lr.ruleLabels))
	for key, value := range lr.ruleLabels {
		ruleLabels[key] = value
	}
	window := lr.decoded.Server.Autoscaling.Prometheus.RateWindow.Value()
	values = maps.Clone(values)
	values[leasesKey] = specs
	values[grantsKey] = map[string]any{
		"leases": grants, "shared": shared, "ruleLabels": ruleLabels,
		"rateWindowMicroseconds": strconv.FormatInt(window.Microseconds(), 10),
		"halfRateWindow":         strconv.FormatInt(window.Milliseconds()/2, 10) + "ms",
	}
	return chart.Render(release.forChart(), values)
}
