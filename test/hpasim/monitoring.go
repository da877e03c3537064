package hpasim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

const (
	// metricName is the metric of the HPA in every system.
	metricName = "queue_time"
	// relist is the interval in seconds at which prometheus-adapter discovers series: the
	// default of its chart.
	relist = 60
)

// monitoring is Prometheus and the adapter (or KEDA) between it and the HPA.
type monitoring struct {
	system System
	seed   uint64
	pods   map[*Pod]*series
	// order has the keys of pods in the order of their first scrape: sums must not
	// depend on the order of a map.
	order    []*Pod
	recorded map[*Pod]float64
	// since is the time of the first recorded value; an adapter serves it after the next relist.
	since float64
}

func newMonitoring(system System, seed uint64) *monitoring {
	return &monitoring{system: system, seed: seed, pods: map[*Pod]*series{}, recorded: map[*Pod]float64{}, since: math.Inf(1)}
}

// due reports whether a target or a rule group is due at a second. Prometheus
// spreads targets and rule groups over their interval by a hash; the simulation
// spreads them by the seed and their number.
func (m *monitoring) due(second, interval, number int) bool {
	phase := rand.New(rand.NewPCG(m.seed, uint64(number)+3)).IntN(interval)
	return second%interval == phase
}

// tick scrapes the targets and evaluates the rules that are due. It is called
// once each second.
func (m *monitoring) tick(f *Fleet) {
	second := int(f.now)
	alive := map[*Pod]bool{}
	for _, group := range [][]*Pod{f.pods, f.ending} {
		for _, pod := range group {
			alive[pod] = true
			// Triton's endpoint refuses connections until its models are loaded.
			if !pod.ready || !m.due(second, m.system.ScrapeInterval, pod.number) {
				continue
			}
			if m.pods[pod] == nil {
				m.pods[pod] = &series{}
				m.order = append(m.order, pod)
			}
			m.pods[pod].scrape(pod, f.now)
		}
	}
	kept := m.order[:0]
	for _, pod := range m.order {
		s := m.pods[pod]
		s.gone = !alive[pod]
		if s.gone && len(s.within(f.now, lookback)) == 0 {
			delete(m.pods, pod)
			continue
		}
		kept = append(kept, pod)
	}
	m.order = kept
	if m.system.EvaluationInterval > 0 && m.due(second, m.system.EvaluationInterval, -1) {
		clear(m.recorded)
		for _, pod := range m.order {
			if value, ok := m.system.Expression(m.pods[pod], f.now); ok {
				m.recorded[pod] = value
				m.since = min(m.since, f.now)
			}
		}
	}
}

// value returns the value that the adapter serves for a pod.
func (m *monitoring) value(pod *Pod, now float64) (float64, bool) {
	if m.system.EvaluationInterval > 0 {
		value, ok := m.recorded[pod]
		return value, ok && now >= math.Ceil(m.since/relist)*relist
	}
	if m.pods[pod] == nil {
		return 0, false
	}
	return m.system.Expression(m.pods[pod], now)
}

// metric returns the metric of the system's HPA.
func (m *monitoring) metric(model Model) autoscalingv2.MetricSpec {
	name := autoscalingv2.MetricIdentifier{Name: metricName}
	if m.system.Expression != nil {
		target := average(model.Threshold * 1e6)
		return autoscalingv2.MetricSpec{
			Type: autoscalingv2.PodsMetricSourceType,
			Pods: &autoscalingv2.PodsMetricSource{Metric: name, Target: target},
		}
	}
	target := average(model.Threshold * 1e3)
	if m.system.Whole {
		target = autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: target.AverageValue}
	}
	return autoscalingv2.MetricSpec{
		Type:     autoscalingv2.ExternalMetricSourceType,
		External: &autoscalingv2.ExternalMetricSource{Metric: name, Target: target},
	}
}

// client is the HPA controller's client of the custom and external metrics APIs.
type client struct{ run *run }

func (c client) GetRawMetric(string, string, labels.Selector, labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	c.run.Lock()
	defer c.run.Unlock()
	now, found := c.run.now(), metrics.PodMetricsInfo{}
	for _, pod := range c.run.fleet.pods {
		if value, ok := c.run.monitoring.value(pod, now); ok {
			found[pod.name] = metrics.PodMetric{Timestamp: time.Now(), Window: time.Minute, Value: milli(value)}
		}
	}
	if len(found) == 0 {
		return nil, time.Time{}, fmt.Errorf("no metrics returned from custom metrics API")
	}
	return found, time.Now(), nil
}

func (c client) GetExternalMetric(string, string, labels.Selector) ([]int64, time.Time, error) {
	c.run.Lock()
	defer c.run.Unlock()
	fleet := make([]*series, 0, len(c.run.monitoring.order))
	for _, pod := range c.run.monitoring.order {
		fleet = append(fleet, c.run.monitoring.pods[pod])
	}
	return []int64{milli(supersonic(fleet, c.run.now()))}, time.Now(), nil
}

// milli returns a value in the resolution of the metrics APIs. Adapters serve NaN as 0.
func milli(value float64) int64 {
	if math.IsNaN(value) {
		return 0
	}
	return int64(math.Round(value * 1000))
}

var errNoMetric = errors.New("the simulation has no such metric")

func (client) GetResourceMetric(context.Context, corev1.ResourceName, string, labels.Selector, string) (metrics.PodMetricsInfo, time.Time, error) {
	return nil, time.Time{}, errNoMetric
}

func (client) GetObjectMetric(string, string, *autoscalingv2.CrossVersionObjectReference, labels.Selector) (int64, time.Time, error) {
	return 0, time.Time{}, errNoMetric
}
