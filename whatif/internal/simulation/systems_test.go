package simulation

import (
	"fmt"
	"os"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// Values has the values of the chart that the simulation uses.
type Values struct {
	Server struct {
		Autoscaling struct {
			Behavior   *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
			Prometheus struct {
				ScrapeInterval     string `json:"scrapeInterval"`
				EvaluationInterval string `json:"evaluationInterval"`
				RateWindow         string `json:"rateWindow"`
			} `json:"prometheus"`
		} `json:"autoscaling"`
	} `json:"server"`
}

// maximum is the maximum number of replicas of every system. k8s-onprem also runs with
// its own maximum.
const maximum = 10

// Ours returns the system that the chart configures with a values file.
func Ours(valuesFile string) (System, error) {
	content, err := os.ReadFile(valuesFile)
	if err != nil {
		return System{}, err
	}
	var values Values
	if err := yaml.Unmarshal(content, &values); err != nil {
		return System{}, fmt.Errorf("%s: %w", valuesFile, err)
	}
	autoscaling := values.Server.Autoscaling
	if autoscaling.Behavior == nil {
		return System{}, fmt.Errorf("%s: server.autoscaling.behavior: missing", valuesFile)
	}
	scrape, err := seconds(autoscaling.Prometheus.ScrapeInterval)
	if err != nil {
		return System{}, fmt.Errorf("%s: server.autoscaling.prometheus.scrapeInterval: %w", valuesFile, err)
	}
	evaluation, err := seconds(autoscaling.Prometheus.EvaluationInterval)
	if err != nil {
		return System{}, fmt.Errorf("%s: server.autoscaling.prometheus.evaluationInterval: %w", valuesFile, err)
	}
	window, err := seconds(autoscaling.Prometheus.RateWindow)
	if err != nil {
		return System{}, fmt.Errorf("%s: server.autoscaling.prometheus.rateWindow: %w", valuesFile, err)
	}
	return System{
		Name: "TMS", Minimum: 1, Maximum: maximum,
		ScrapeInterval: scrape, EvaluationInterval: evaluation,
		Metrics: []Metric{queueTime(ours(float64(window)))}, Behavior: autoscaling.Behavior,
	}, nil
}

// FirstResponse returns a system that scales by the rule tms_avg_first_response_duration of
// rendered manifests instead of the queue time.
func FirstResponse(ours System, manifests string) (System, error) {
	promql, err := Rule(manifests, "tms_avg_first_response_duration")
	if err != nil {
		return ours, err
	}
	expression, err := Parse(promql)
	if err != nil {
		return ours, fmt.Errorf("%s: tms_avg_first_response_duration: %w", manifests, err)
	}
	ours.Metrics = []Metric{queueTime(expression)}
	return ours, nil
}

// queueMetric is the name of the metric of the HPA in every system.
const queueMetric = "queue_time"

// queueTime returns a Pods metric in microseconds, without a threshold.
func queueTime(expression Expression) Metric {
	return Metric{Expression: expression, Spec: autoscalingv2.MetricSpec{
		Type: autoscalingv2.PodsMetricSourceType,
		Pods: &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: queueMetric}},
	}}
}

// external returns the External metric of SuperSONIC, which KEDA serves, in milliseconds and
// without a threshold. A target of the type Value is for the metric itself; otherwise the HPA
// divides it by the number of replicas (AverageValue, the default of KEDA).
func external(target autoscalingv2.MetricTargetType) Metric {
	return Metric{External: supersonic, Spec: autoscalingv2.MetricSpec{
		Type: autoscalingv2.ExternalMetricSourceType,
		External: &autoscalingv2.ExternalMetricSource{
			Metric: autoscalingv2.MetricIdentifier{Name: queueMetric}, Target: autoscalingv2.MetricTarget{Type: target},
		},
	}}
}

// withThreshold returns the system with a threshold in seconds for its metric.
func (s System) withThreshold(seconds float64) System {
	metric := s.Metrics[0]
	metric.Spec = *metric.Spec.DeepCopy()
	quantity := func(factor float64) *resource.Quantity {
		return resource.NewQuantity(int64(seconds*factor), resource.DecimalSI)
	}
	switch target := metric.Spec.External; {
	case target == nil:
		metric.Spec.Pods.Target = autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: quantity(1e6)}
	case target.Target.Type == autoscalingv2.ValueMetricType:
		target.Target.Value = quantity(1e3)
	default:
		target.Target.AverageValue = quantity(1e3)
	}
	s.Metrics = []Metric{metric}
	return s
}

// seconds parses a duration. It must be in whole seconds, because the simulation
// advances in steps of one second.
func seconds(text string) (int, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, err
	}
	if d < time.Second || d%time.Second != 0 {
		return 0, fmt.Errorf("%q is not a positive number of whole seconds", text)
	}
	return int(d / time.Second), nil
}

// Peers returns the systems that TMS is compared with. The scrape interval of
// SuperSONIC is 5 s, as in the Prometheus of its chart; that of the others is 15 s.
// All have the same bounds; k8s-onprem also runs with its own maximum.
func Peers(ours System) []System {
	defaults := ours
	defaults.Name, defaults.Behavior = "TMS series, Kubernetes' behavior", nil

	chart := System{Name: "k8s-onprem", Minimum: 1, Maximum: maximum, ScrapeInterval: 15, Metrics: []Metric{queueTime(onprem)}}
	shipped := chart
	shipped.Name, shipped.Maximum = "k8s-onprem, its maximum of 3", 3

	rule := System{
		Name: "Triton's tutorial", Minimum: 1, Maximum: maximum,
		ScrapeInterval: 15, EvaluationInterval: 6, Metrics: []Metric{queueTime(tutorial)},
	}

	sonic := System{
		Name: "SuperSONIC", Minimum: 1, Maximum: maximum, ScrapeInterval: 5,
		Metrics: []Metric{external(autoscalingv2.AverageValueMetricType)},
		Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
			ScaleUp:   scaling(60, pods(1, 60)),
			ScaleDown: scaling(600, pods(1, 120)),
		},
	}
	whole := sonic
	whole.Name = "SuperSONIC, metricType Value"
	whole.Metrics = []Metric{external(autoscalingv2.ValueMetricType)}
	return []System{defaults, chart, shipped, rule, sonic, whole}
}

// scaling returns the rules for one direction of a behavior.
func scaling(window int32, policies ...autoscalingv2.HPAScalingPolicy) *autoscalingv2.HPAScalingRules {
	most := autoscalingv2.MaxChangePolicySelect
	return &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: &window, SelectPolicy: &most, Policies: policies}
}

func pods(value, period int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: value, PeriodSeconds: period}
}

func percent(value, period int32) autoscalingv2.HPAScalingPolicy {
	return autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: value, PeriodSeconds: period}
}
