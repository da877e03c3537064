package policy

import (
	"slices"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Metric is a metric that leases scale by. A new metric needs a row in this file, a
// recording rule in the chart (templates/_rules.tpl), bounds in values.yaml and
// values.schema.json, and cases in test/conform.
type Metric struct {
	Name v1alpha1.MetricName `json:"name"`
	// Unit is the unit of thresholds.
	Unit Unit `json:"unit"`
	// Series is the recorded series that the HorizontalPodAutoscaler reads as a Pods
	// metric. If it is empty, the metric is the CPU of the Triton container, a
	// ContainerResource metric.
	Series string `json:"series,omitempty"`
	// Highest is the highest threshold that makes sense; 0 means no such limit.
	Highest int64 `json:"highest,omitempty"`
	// Waiting reports whether the metric measures how long, or how many, requests wait. A
	// lease at its maximum with such a metric above the threshold raises an alert. If the
	// unit is microseconds, the metric of a jammed Triton is the rate window.
	Waiting bool `json:"waiting,omitempty"`
	// Description is what the metric measures, as a noun phrase.
	Description string `json:"description,omitempty"`
	// Query is the PromQL expression of a metric that the administrator defines. The
	// metrics of TMS have none: their rules are in the chart.
	Query string `json:"query,omitempty"`
}

// Unit is the unit of a metric.
type Unit string

// The units of the metrics of TMS.
const (
	Percent      Unit = "percent"
	Microseconds Unit = "microseconds"
	Requests     Unit = "requests"
)

// metrics is the list of the metrics of TMS, in the order of the metrics of a
// HorizontalPodAutoscaler. TestGoldenPolicy writes it to the chart.
var metrics = []Metric{
	{
		Name: v1alpha1.CPUUtilization, Unit: Percent,
		Description: "CPU use of the Triton container, in percent of its CPU request",
	},
	{
		Name: v1alpha1.GPUUtilization, Unit: Percent, Series: "tms_avg_gpu_utilization", Highest: 100,
		Description: "mean utilization of the GPUs of a pod, in percent",
	},
	{
		Name: v1alpha1.QueueTime, Unit: Microseconds, Series: "tms_avg_request_queue_duration", Waiting: true,
		Description: "mean time that a request waits in Triton's queue, in microseconds",
	},
	{
		Name: v1alpha1.FirstResponseTime, Unit: Microseconds, Series: "tms_avg_first_response_duration", Waiting: true,
		Description: "mean time from the arrival of a request to its first response, in microseconds",
	},
	{
		Name: v1alpha1.WaitingRequests, Unit: Requests, Series: "tms_waiting_requests", Waiting: true,
		Description: "number of requests that wait in a pod, in Triton and in TensorRT-LLM",
	},
}

// Metrics returns the metrics of TMS, in the order of the metrics of a
// HorizontalPodAutoscaler. Policy.Metrics adds those of the administrator.
func Metrics() []Metric { return slices.Clone(metrics) }

// MetricNames returns the names of the metrics of TMS, in the same order.
func MetricNames() []v1alpha1.MetricName { return namesOf(metrics) }

func namesOf(metrics []Metric) []v1alpha1.MetricName {
	names := make([]v1alpha1.MetricName, len(metrics))
	for i, m := range metrics {
		names[i] = m.Name
	}
	return names
}
