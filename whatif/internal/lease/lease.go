// Package lease reads from the manifests of a lease what the simulation needs: the HPA, the
// recording rules, the intervals, and the pods.
package lease

import (
	"errors"
	"fmt"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/leasepod"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
	"github.com/triton-leases/tms/whatif/internal/simulation"
)

// Lease is what the simulation needs of a lease.
type Lease struct {
	// Name is the name of the lease, Path the path of its keys.
	Name, Path string
	System     simulation.System
	// GPUs is the number of GPUs of one replica. HasPods reports whether it is known: the
	// pods of a lease with a target are not rendered.
	GPUs    int64
	HasPods bool
	// Drain is the time in seconds that a terminating pod has.
	Drain float64
	// Metrics are those in effect.
	Metrics []v1alpha1.MetricThreshold
}

// defaultGracePeriod is the terminationGracePeriodSeconds of Kubernetes.
const defaultGracePeriod = 30

// Of returns the only lease of rendered manifests. The error joins everything about it that
// cannot be simulated.
func Of(result *render.Result) (*Lease, error) {
	granted := result.Leases[0]
	l := &Lease{Name: granted.String(), Path: granted.Path, Drain: defaultGracePeriod, Metrics: granted.Grant.Metrics}
	if !granted.Grant.Autoscaled {
		return nil, fmt.Errorf("%s: the lease is not autoscaled: set %s.autoscaling.enable and server.autoscaling.enable, and a metric", l.Name, l.Path)
	}
	if len(granted.Grant.Schedule) > 0 {
		return nil, fmt.Errorf("%s.autoscaling.replicas.schedule: is not simulated: replace it with the minimum and maximum of one entry", l.Path)
	}
	deployment, err := result.Deployment(granted)
	if err != nil {
		return nil, err
	}
	if deployment != nil {
		pod := &deployment.Spec.Template
		l.GPUs, l.HasPods = leasepod.GPUs(pod), true
		if seconds := pod.Spec.TerminationGracePeriodSeconds; seconds != nil {
			l.Drain = float64(*seconds)
		}
	}
	m, err := read(result)
	if err != nil {
		return nil, err
	}
	if m.hpa.Spec.MinReplicas == nil {
		return nil, fmt.Errorf("%s: has no HorizontalPodAutoscaler: KEDA is not simulated: add --set server.autoscaling.source=adapter", l.Name)
	}
	var faults []error
	seconds := func(key string, d monitoringv1.Duration) int {
		n, err := wholeSeconds(string(d))
		if err != nil {
			faults = append(faults, fmt.Errorf("server.autoscaling.prometheus.%s: %w", key, err))
		}
		return n
	}
	spec := m.hpa.Spec
	l.System = simulation.System{
		Name: l.Name, Minimum: *spec.MinReplicas, Maximum: spec.MaxReplicas, Behavior: spec.Behavior,
		ScrapeInterval: seconds("scrapeInterval", m.scrapeInterval), EvaluationInterval: seconds("evaluationInterval", m.evaluationInterval),
	}
	for i, metric := range spec.Metrics {
		name := l.Metrics[i].Metric
		if metric.Pods == nil {
			faults = append(faults, fmt.Errorf("%s: is not simulated: the CPU use of a model is not known: turn the metric off, with --set server.autoscaling.metrics.%s.enabled=false", l.key(name), name))
			continue
		}
		expression, err := simulation.Parse(m.rules[metric.Pods.Metric.Name])
		if err != nil {
			faults = append(faults, fmt.Errorf("server.autoscaling.metrics.%s.query: is not simulated: %w", name, err))
		}
		l.System.Metrics = append(l.System.Metrics, simulation.Metric{Spec: metric, Expression: expression})
	}
	return l, errors.Join(faults...)
}

// key returns the path of a metric of the lease.
func (l *Lease) key(metric v1alpha1.MetricName) string {
	return l.Path + ".autoscaling.metrics." + string(metric)
}

// Check returns an error if the lease has a metric that a model cannot give.
func (l *Lease) Check(model simulation.Model) error {
	for _, m := range l.Metrics {
		if m.Metric == v1alpha1.FirstResponseTime && model.First == 0 {
			return fmt.Errorf("%s: needs the time from the start of a request to its first response: set --first-response", l.key(m.Metric))
		}
	}
	return nil
}

// Threshold returns the threshold of the first metric that is a time, in seconds. It reports
// false if there is none.
func (l *Lease) Threshold() (seconds float64, ok bool) {
	for _, known := range policy.Metrics() {
		for _, m := range l.Metrics {
			if m.Metric == known.Name && known.Unit == policy.Microseconds {
				return float64(m.Threshold) / 1e6, true
			}
		}
	}
	return 0, false
}

// manifests are the manifests of a lease that the simulation reads.
type manifests struct {
	hpa                                autoscalingv2.HorizontalPodAutoscaler
	scrapeInterval, evaluationInterval monitoringv1.Duration
	// rules has the expression of each recorded series.
	rules map[string]string
}

func read(result *render.Result) (*manifests, error) {
	m := &manifests{rules: map[string]string{}}
	for document := range result.Documents() {
		var err error
		switch document.Kind {
		case "HorizontalPodAutoscaler":
			err = document.Decode(&m.hpa)
		case monitoringv1.PodMonitorsKind:
			var monitor monitoringv1.PodMonitor
			if err = document.Decode(&monitor); err == nil {
				m.scrapeInterval = monitor.Spec.PodMetricsEndpoints[0].Interval
			}
		case monitoringv1.PrometheusRuleKind:
			var rule monitoringv1.PrometheusRule
			if err = document.Decode(&rule); err == nil {
				m.add(rule.Spec.Groups)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *manifests) add(groups []monitoringv1.RuleGroup) {
	for _, group := range groups {
		for _, rule := range group.Rules {
			if rule.Record == "" {
				continue
			}
			m.rules[rule.Record] = rule.Expr.String()
			if group.Interval != nil {
				m.evaluationInterval = *group.Interval
			}
		}
	}
}

// wholeSeconds parses a duration. It must be in whole seconds, because the simulation
// advances in steps of one second.
func wholeSeconds(text string) (int, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d%time.Second != 0 {
		return 0, fmt.Errorf("%s: is not simulated: must be a whole number of seconds", text)
	}
	return int(d / time.Second), nil
}
