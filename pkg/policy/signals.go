package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// checkSignals checks that the Triton of a lease reports the metrics in effect, as far as
// its image and its arguments tell. The path is that of the lease.
func checkSignals(path *field.Path, pod Pod, grant *v1alpha1.Grant) field.ErrorList {
	s := signals{path: path, image: ParseImage(pod.Image), grant: grant}
	for _, list := range pod.Arguments {
		s.arguments = append(s.arguments, list.parse()...)
	}
	if _, ok := grant.Threshold(v1alpha1.GPUUtilization); ok {
		s.gpuUtilization()
	}
	if _, ok := grant.Threshold(v1alpha1.QueueTime); ok {
		s.queueTime()
	}
	if _, ok := grant.Threshold(v1alpha1.FirstResponseTime); ok {
		s.firstResponseTime()
	}
	if _, ok := grant.Threshold(v1alpha1.WaitingRequests); ok {
		s.waitingRequests()
	}
	return s.reasons
}

// signals is what checkSignals knows and finds.
type signals struct {
	path      *field.Path
	image     Image
	arguments []argument
	grant     *v1alpha1.Grant
	reasons   field.ErrorList
}

func (s *signals) warn(metric v1alpha1.MetricName, message string) {
	s.grant.Warnings = append(s.grant.Warnings, warning(s.path.Child("autoscaling", "metrics", string(metric)), message))
}

// needs refuses arguments that turn off a setting of --metrics-config.
func (s *signals) needs(metric v1alpha1.MetricName, setting string) {
	for _, a := range s.arguments {
		if a.turnsOff(setting) {
			s.reasons = append(s.reasons, field.Forbidden(a.path, fmt.Sprintf("%s turns off %s, which %s.autoscaling.metrics.%s needs; remove the argument, or turn the metric off",
				a.spelled(metricsConfig), setting, s.path, metric)))
		}
	}
}

func (s *signals) gpuUtilization() {
	for _, a := range s.arguments {
		if a.is(allowGPUMetrics) {
			s.grant.Warnings = append(s.grant.Warnings, warning(a.path, fmt.Sprintf(
				"%s is false, so Triton does not report the GPU utilization that %s.autoscaling.metrics.gpuUtilization reads; the lease does not scale down while the metric is missing", a.spelled(allowGPUMetrics), s.path)))
		}
	}
}

// queueTime: engines take requests over at once, and queue them where Triton's core does
// not see them.
func (s *signals) queueTime() {
	s.needs(v1alpha1.QueueTime, "counter_latencies")
	if _, better := s.grant.Threshold(v1alpha1.FirstResponseTime); s.image.Engine != "" && !better {
		s.warn(v1alpha1.QueueTime, fmt.Sprintf(
			"the image is for %s, and requests wait in that engine, not in Triton's queue: queueTime reads nearly 0 under any load; use firstResponseTime", s.image.Engine))
	}
	s.pending(v1alpha1.QueueTime)
}

func (s *signals) firstResponseTime() {
	s.needs(v1alpha1.FirstResponseTime, "histogram_latencies")
	if s.image.Before(24, 11) {
		s.warn(v1alpha1.FirstResponseTime, fmt.Sprintf(
			"Triton %s has no histogram of first responses, which exists since 24.11; the lease does not scale down while the metric is missing", s.image.Release()))
	}
}

func (s *signals) waitingRequests() {
	if _, better := s.grant.Threshold(v1alpha1.FirstResponseTime); s.image.Engine == "vllm" && !better {
		s.warn(v1alpha1.WaitingRequests,
			"the image is for vllm, which does not report its waiting requests to Triton: waitingRequests reads nearly 0 under any load; use firstResponseTime")
	}
	s.pending(v1alpha1.WaitingRequests)
}

// pending warns of releases in which the number of pending requests can stay too high.
func (s *signals) pending(metric v1alpha1.MetricName) {
	if s.image.Before(23, 11) {
		s.warn(metric, fmt.Sprintf(
			"Triton %s does not always count down its pending requests, which is fixed in 23.11: the metric can stay high without load", s.image.Release()))
	}
}
