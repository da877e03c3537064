package policy

import "iter"

// Metric names what a lease scales by, as the values spell it.
type Metric string

const (
	// CPUUtilization is the CPU use of the Triton container, in percent of its CPU request.
	CPUUtilization Metric = "cpuUtilization"
	// GPUUtilization is the mean utilization of the GPUs of a pod, in percent.
	GPUUtilization Metric = "gpuUtilization"
	// QueueTime is the mean time that a request waits in Triton's queue, in microseconds.
	QueueTime Metric = "queueTime"
)

// PerMetric holds one T for each metric.
type PerMetric[T any] struct {
	CPUUtilization T `json:"cpuUtilization,omitzero"`
	GPUUtilization T `json:"gpuUtilization,omitzero"`
	QueueTime      T `json:"queueTime,omitzero"`
}

// All yields the metrics in the order in which they are judged and reported.
func (p PerMetric[T]) All() iter.Seq2[Metric, T] {
	return func(yield func(Metric, T) bool) {
		_ = yield(CPUUtilization, p.CPUUtilization) &&
			yield(GPUUtilization, p.GPUUtilization) &&
			yield(QueueTime, p.QueueTime)
	}
}

// Get returns the T of one metric, and the zero T where there is no such metric.
func (p PerMetric[T]) Get(metric Metric) (value T) {
	for name, v := range p.All() {
		if name == metric {
			return v
		}
	}
	return value
}

// Set sets the T of one metric. It does nothing where there is no such metric.
func (p *PerMetric[T]) Set(metric Metric, value T) {
	switch metric {
	case CPUUtilization:
		p.CPUUtilization = value
	case GPUUtilization:
		p.GPUUtilization = value
	case QueueTime:
		p.QueueTime = value
	}
}
