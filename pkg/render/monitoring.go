package render

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/json"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/stencil"
	"github.com/triton-leases/tms/pkg/policy"
)

// Monitoring are the objects through which Prometheus monitors all leases of one namespace.
// Those that are not needed are nil.
type Monitoring struct {
	PodMonitor     *monitoringv1.PodMonitor
	PrometheusRule *monitoringv1.PrometheusRule
	// MetricsRule has the rules of the administrator's metrics.
	MetricsRule *monitoringv1.PrometheusRule
}

// MonitoringNeeds are what the leases of one namespace that have no monitors of their own
// need together.
type MonitoringNeeds struct {
	// Scraped reports whether there is such a lease. Prometheus scrapes its pods if one
	// scales or is renewed, or if metrics.enabled is set in the values.
	Scraped bool
	// Autoscaled reports whether a lease scales, and Renewed whether one is renewed while it
	// serves requests.
	Autoscaled, Renewed bool
	// Scheduled reports whether a lease in the values has a schedule.
	Scheduled bool
	// Metrics are the metrics by which leases scale, sorted, without duplicates.
	Metrics []v1alpha1.MetricName
}

// monitoringTemplates are the chart's templates of shared monitoring, in the order of the
// fields of Monitoring. Each renders at most one document.
var monitoringTemplates = []string{
	"templates/podmonitor_leases.yaml",
	"templates/prometheusrule_leases.yaml",
	"templates/prometheusrule_leases_metrics.yaml",
}

// Monitoring renders the shared monitoring of the leases of a namespace, whether or not
// SharesMonitors is true. Decoding is strict: a field that the type does not have is an
// error. lr must be made for a Release with Controller set.
func (lr *LeaseRenderer) Monitoring(namespace string, needs MonitoringNeeds) (*Monitoring, error) {
	documents, err := lr.renderMonitoring(needs)
	if err != nil {
		return nil, err
	}
	monitoring := new(Monitoring)
	for _, document := range documents {
		var object any
		switch document.template {
		case monitoringTemplates[0]:
			monitoring.PodMonitor = new(monitoringv1.PodMonitor)
			object = monitoring.PodMonitor
		case monitoringTemplates[1]:
			monitoring.PrometheusRule = new(monitoringv1.PrometheusRule)
			object = monitoring.PrometheusRule
		default:
			monitoring.MetricsRule = new(monitoringv1.PrometheusRule)
			object = monitoring.MetricsRule
		}
		unknown, err := json.UnmarshalStrict(document.json.Append(nil, monitoringParameters(namespace)), object)
		if err = errors.Join(append(unknown, err)...); err != nil {
			return nil, fmt.Errorf("decode %s of namespace %s: %w", document.template, namespace, err)
		}
	}
	return monitoring, nil
}

// MonitorsPerLease reports whether the leases of lr have their own PodMonitors and
// PrometheusRules, and SharesMonitors whether those of a namespace share them. During a
// change from one to the other, both are true. A lease with a target always has its own.
func (lr *LeaseRenderer) MonitorsPerLease() bool { return lr.monitors() != policy.MonitorsShared }

// SharesMonitors is described at MonitorsPerLease.
func (lr *LeaseRenderer) SharesMonitors() bool { return lr.monitors() != policy.MonitorsPerLease }

func (lr *LeaseRenderer) monitors() policy.Monitors {
	monitors := lr.decoded.Server.Autoscaling.Prometheus.Monitors
	switch {
	case monitors != "":
		return monitors
	case lr.release.Controller:
		return policy.MonitorsShared
	default:
		return policy.MonitorsPerLease
	}
}

// Add adds what a granted lease needs. A lease with monitors of its own needs nothing.
func (n *MonitoringNeeds) Add(lease *v1alpha1.TritonLease, granted *v1alpha1.Granted) {
	if granted != nil && lease.Spec.Target == nil {
		n.add(&granted.Grant, &granted.Term)
	}
}

func (n *MonitoringNeeds) add(grant *v1alpha1.Grant, term *v1alpha1.Term) {
	n.Scraped = true
	n.Renewed = n.Renewed || term.AutoRenew
	if !grant.Autoscaled {
		return
	}
	n.Autoscaled = true
	n.Scheduled = n.Scheduled || len(grant.Schedule) > 0
	for _, m := range grant.Metrics {
		if i, found := slices.BinarySearch(n.Metrics, m.Metric); !found {
			n.Metrics = slices.Insert(n.Metrics, i, m.Metric)
		}
	}
}

// needsOf returns what leases need together.
func needsOf(leases []*GrantedLease) MonitoringNeeds {
	var needs MonitoringNeeds
	for _, g := range leases {
		if !g.shape.hasTarget() {
			needs.add(&g.Grant, &g.Term)
		}
	}
	return needs
}

// sharedValue returns what leases need together for the templates, as _grants.tpl documents
// it, or nil if they need nothing. A metric that the values do not have is left out.
func (lr *LeaseRenderer) sharedValue(needs MonitoringNeeds) map[string]any {
	if isScraped := needs.Autoscaled || needs.Renewed || needs.Scraped && lr.decoded.Metrics.Enabled; !isScraped {
		return nil
	}
	var metrics []any
	if lr.policy != nil {
		for _, metric := range lr.policy.Metrics() {
			if slices.Contains(needs.Metrics, metric.Name) {
				metrics = append(metrics, metricValue(metric))
			}
		}
	}
	// A dot cannot be in the name of a lease's objects. With the namespace of tms-server, the
	// names of two releases differ.
	name, path := lr.fullname+".leases", leasesKey+".{{ $labels.tms_lease }}"
	if lr.release.Controller {
		name, path = lr.fullname+"."+lr.release.Namespace+".leases", "spec"
	}
	return map[string]any{
		"name": name, "path": path, "autoscaled": needs.Autoscaled, "renewed": needs.Renewed, "metrics": metrics,
		"scheduled": needs.Scheduled && !lr.release.Controller,
	}
}

// monitoringDocument is one rendered document of shared monitoring. Its only parameter is
// the namespace.
type monitoringDocument struct {
	template   string
	document   Document // without Text
	yaml, json *stencil.Stencil
}

// monitoringParameters returns the parameters of monitoringDocument.
func monitoringParameters(namespace string) []string {
	return []string{namespaceParameter: namespace}
}

// monitoringCache caches the shared monitoring of all namespaces, by what the leases need.
type monitoringCache struct {
	lock      sync.Mutex
	documents map[string][]monitoringDocument
}

// renderMonitoring returns the documents of shared monitoring, in the order of
// monitoringTemplates.
func (lr *LeaseRenderer) renderMonitoring(needs MonitoringNeeds) ([]monitoringDocument, error) {
	shared := lr.sharedValue(needs)
	if shared == nil {
		return nil, nil
	}
	lr.monitoring.lock.Lock()
	defer lr.monitoring.lock.Unlock()
	key := fmt.Sprint(shared)
	if documents, known := lr.monitoring.documents[key]; known {
		return documents, nil
	}
	release := lr.release
	release.Namespace = lr.placeholders.At(namespaceParameter)
	texts, err := lr.run(lr.renderer.monitoring, release, lr.values, nil, nil, shared)
	if err != nil {
		return nil, err
	}
	sorted, err := helmchart.Sort(texts)
	if err != nil {
		return nil, err
	}
	documents := make([]monitoringDocument, len(sorted))
	for i, document := range sorted {
		text := document.Text
		document.Text = ""
		toJSON, err := lr.placeholders.CutJSON(text, jsonItem)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", document.Source, err)
		}
		template := slices.IndexFunc(monitoringTemplates, func(name string) bool { return lr.renderer.chart.Path(name) == document.Source })
		documents[i] = monitoringDocument{monitoringTemplates[template], document, lr.placeholders.Cut(text), toJSON}
	}
	const maxCached = 64 // users can ask for any combination of metrics
	if lr.monitoring.documents == nil || len(lr.monitoring.documents) >= maxCached {
		lr.monitoring.documents = map[string][]monitoringDocument{}
	}
	lr.monitoring.documents[key] = documents
	return documents, nil
}

// AddMonitoring adds the shared monitoring of the namespaces of the result's TritonLeases, if
// they share monitors.
func (res *Result) AddMonitoring() error {
	if res.renderer == nil || !res.renderer.SharesMonitors() {
		return nil
	}
	byNamespace := map[string][]*GrantedLease{}
	var namespaces []string
	for _, g := range res.Leases {
		if byNamespace[g.Namespace] == nil {
			namespaces = append(namespaces, g.Namespace)
		}
		byNamespace[g.Namespace] = append(byNamespace[g.Namespace], g)
	}
	var all []Document
	for _, namespace := range namespaces {
		documents, err := res.renderer.renderMonitoring(needsOf(byNamespace[namespace]))
		if err != nil {
			return err
		}
		for _, d := range documents {
			d.document.Text = string(d.yaml.Append(nil, monitoringParameters(namespace)))
			all = append(all, d.document)
		}
	}
	res.add(all)
	return nil
}
