package render

import (
	"iter"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// perMetric holds one T for each metric.
type perMetric[T any] struct {
	CPUUtilization T `json:"cpuUtilization,omitzero"`
	GPUUtilization T `json:"gpuUtilization,omitzero"`
	QueueTime      T `json:"queueTime,omitzero"`
}

// All yields the metrics in the order in which they are judged and reported.
func (p perMetric[T]) All() iter.Seq2[v1alpha1.MetricName, T] {
	return func(yield func(v1alpha1.MetricName, T) bool) {
		_ = yield(v1alpha1.CPUUtilization, p.CPUUtilization) &&
			yield(v1alpha1.GPUUtilization, p.GPUUtilization) &&
			yield(v1alpha1.QueueTime, p.QueueTime)
	}
}

// Get returns the T of one metric, and the zero T where there is no such metric.
func (p perMetric[T]) Get(metric v1alpha1.MetricName) (value T) {
	for name, v := range p.All() {
		if name == metric {
			return v
		}
	}
	return value
}

// Set sets the T of one metric. It does nothing where there is no such metric.
func (p *perMetric[T]) Set(metric v1alpha1.MetricName, value T) {
	switch metric {
	case v1alpha1.CPUUtilization:
		p.CPUUtilization = value
	case v1alpha1.GPUUtilization:
		p.GPUUtilization = value
	case v1alpha1.QueueTime:
		p.QueueTime = value
	}
}
