package simulation

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

// monitoring is Prometheus and the adapter (or KEDA) between it and the HPA.
type monitoring struct {
	system System
	seed   uint64
	// relist is the interval in seconds at which prometheus-adapter discovers series.
	relist float64
	pods   map[*Pod]*series
	// order has the keys of pods in the order of their first scrape: sums must not
	// depend on the order of a map.
	order []*Pod
	// recorded has the recorded series of each metric by name.
	recorded map[string]*recording
}

// recording is a recorded series.
type recording struct {
	values map[*Pod]float64
	// since is the time of the first value; an adapter serves it after the next relist.
	since float64
}

func newMonitoring(system System, relist float64, seed uint64) *monitoring {
	m := &monitoring{system: system, relist: relist, seed: seed, pods: map[*Pod]*series{}, recorded: map[string]*recording{}}
	for _, metric := range system.Metrics {
		m.recorded[metric.name()] = &recording{map[*Pod]float64{}, math.Inf(1)}
	}
	return m
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
		for _, metric := range m.system.Metrics {
			m.record(metric, f.now)
		}
	}
}

// record evaluates the rule of a metric.
func (m *monitoring) record(metric Metric, now float64) {
	r := m.recorded[metric.name()]
	clear(r.values)
	for _, pod := range m.order {
		if value, ok := metric.Expression(m.pods[pod], now); ok {
			r.values[pod] = value
			r.since = min(r.since, now)
		}
	}
}

// value returns the value of a metric that the adapter serves for a pod.
func (m *monitoring) value(metric Metric, pod *Pod, now float64) (float64, bool) {
	if m.system.EvaluationInterval > 0 {
		r := m.recorded[metric.name()]
		value, ok := r.values[pod]
		return value, ok && now >= math.Ceil(r.since/m.relist)*m.relist
	}
	if m.pods[pod] == nil {
		return 0, false
	}
	return metric.Expression(m.pods[pod], now)
}

// metric returns the metric of the system with a name.
func (m *monitoring) metric(name string) (Metric, error) {
	for _, metric := range m.system.Metrics {
		if metric.name() == name {
			return metric, nil
		}
	}
	return Metric{}, errNoMetric
}

// specs returns the metrics of the HPA.
func (m *monitoring) specs() []autoscalingv2.MetricSpec {
	var specs []autoscalingv2.MetricSpec
	for _, metric := range m.system.Metrics {
		specs = append(specs, metric.Spec)
	}
	return specs
}

// client is the HPA controller's client of the custom and external metrics APIs.
type client struct{ run *running }

func (c client) GetRawMetric(name, _ string, _, _ labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	metric, err := c.run.monitoring.metric(name)
	if err != nil {
		return nil, time.Time{}, err
	}
	c.run.Lock()
	defer c.run.Unlock()
	now, found := c.run.now(), metrics.PodMetricsInfo{}
	for _, pod := range c.run.fleet.pods {
		if value, ok := c.run.monitoring.value(metric, pod, now); ok {
			found[pod.name] = metrics.PodMetric{Timestamp: time.Now(), Window: time.Minute, Value: milli(value)}
		}
	}
	if len(found) == 0 {
		return nil, time.Time{}, fmt.Errorf("no metrics returned from custom metrics API")
	}
	return found, time.Now(), nil
}

func (c client) GetExternalMetric(name, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	metric, err := c.run.monitoring.metric(name)
	if err != nil {
		return nil, time.Time{}, err
	}
	c.run.Lock()
	defer c.run.Unlock()
	fleet := make([]*series, 0, len(c.run.monitoring.order))
	for _, pod := range c.run.monitoring.order {
		fleet = append(fleet, c.run.monitoring.pods[pod])
	}
	return []int64{milli(metric.External(fleet, c.run.now()))}, time.Now(), nil
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
