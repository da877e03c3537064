// Package metric defines the metrics of tms-server.
package metric

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Type is the type of a metric.
type Type string

// The types of the metrics.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Metric defines a metric.
type Metric struct {
	Name string
	Type Type
	// Labels are all labels, sorted.
	Labels []string
	// Help is what the metric measures, and what its labels mean. Prometheus stores it.
	Help string
}

// The metrics of leases and of the configuration.
var (
	Leases = Metric{
		"tms_leases", Gauge,
		[]string{"condition", "reason", "status"},
		"TritonLeases, by the status and the reason of each of their conditions.",
	}
	ReloadSuccessful = Metric{
		"tms_configuration_last_reload_successful", Gauge, nil,
		"Whether the last read of the configuration succeeded: 0 if it is invalid or cannot be read.",
	}
	ReloadTime = Metric{
		"tms_configuration_last_reload_success_timestamp_seconds", Gauge, nil,
		"When the configuration in force was read.",
	}
	BudgetGPUs = Metric{
		"tms_budget_gpus", Gauge,
		[]string{"namespace"},
		"GPU budget of a namespace with leases or with its own budget.",
	}
	BudgetGPUsCharged = Metric{
		"tms_budget_gpus_charged", Gauge,
		[]string{"namespace"},
		"GPUs that are charged to the budget of a namespace.",
	}
	LeaseLimit = Metric{
		"tms_lease_limit", Gauge,
		[]string{"resource"},
		"Limits by resource. Of one lease: replicas without autoscaling. Of one replica: GPUs, CPUs, bytes of memory. Of granted leases: leases, leasesPerNamespace.",
	}
)

// The metrics of the API.
var (
	Calls = Metric{
		"tms_api_calls_total", Counter,
		[]string{"code", "procedure"},
		"API calls that ended, by code: ok, the code of the error, or unread if the request could not be read.",
	}
	CallDuration = Metric{
		"tms_api_call_duration_seconds", Histogram,
		[]string{"procedure"},
		"Duration of API calls. An Acquire takes as long as models load.",
	}
	OpenCalls = Metric{
		"tms_api_open_calls", Gauge,
		[]string{"procedure"},
		"API calls that are running.",
	}
)

// The metrics of the ports api, metrics and health.
var (
	Connections = Metric{
		"tms_connections", Gauge,
		[]string{"port"},
		"Open connections.",
	}
	LimitedConnections = Metric{
		"tms_limited_connections_total", Counter,
		[]string{"port", "reason"},
		"Connections that a limit closed, by reason: address or maximum (a new connection beyond that limit), preempted (a connection without a call made room for a new one).",
	}
)

// Controller returns the metrics of the controller.
func Controller() []Metric {
	return []Metric{Leases, BudgetGPUs, BudgetGPUsCharged, LeaseLimit, ReloadSuccessful, ReloadTime}
}

// API returns the metrics of the server of the API.
func API() []Metric {
	return append([]Metric{Calls, CallDuration, OpenCalls}, Ports()...)
}

// Ports returns the metrics that each port has.
func Ports() []Metric { return []Metric{Connections, LimitedConnections} }

// Desc returns the description of the metric, with its labels in the order of Labels.
func (m Metric) Desc() *prometheus.Desc {
	return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
}

// CounterVec returns a counter. The constant labels are some of Labels.
func (m Metric) CounterVec(constant prometheus.Labels) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help, ConstLabels: constant}, m.variable(constant))
}

// GaugeVec returns a gauge. The constant labels are some of Labels.
func (m Metric) GaugeVec(constant prometheus.Labels) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help, ConstLabels: constant}, m.variable(constant))
}

// HistogramVec returns a histogram.
func (m Metric) HistogramVec(buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: buckets}, m.Labels)
}

// variable returns the labels that are not constant.
func (m Metric) variable(constant prometheus.Labels) []string {
	return slices.DeleteFunc(slices.Clone(m.Labels), func(label string) bool {
		_, ok := constant[label]
		return ok
	})
}
