//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/record"
)

// The metrics that HorizontalPodAutoscalers read.
const (
	queueMetric = "tms_avg_request_queue_duration"
	firstMetric = "tms_avg_first_response_duration"
	gpuMetric   = "tms_avg_gpu_utilization"
	cpuMetric   = "cpu"
)

// size returns the wanted and the ready replicas of a Deployment.
func size(ctx context.Context, namespace, deployment string) (wanted, ready int, err error) {
	d, err := h.Cluster.Client.AppsV1().Deployments(namespace).Get(ctx, deployment, metav1.GetOptions{})
	if err != nil {
		return 0, 0, fmt.Errorf("get the Deployment: %w", err)
	}
	return int(*d.Spec.Replicas), int(d.Status.ReadyReplicas), nil
}

// hpa returns a HorizontalPodAutoscaler and a summary of its status. If there is an error,
// it returns an empty one and the error message.
func hpa(ctx context.Context, namespace, name string) (*autoscalingv2.HorizontalPodAutoscaler, string) {
	a, err := h.Cluster.Client.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return &autoscalingv2.HorizontalPodAutoscaler{}, err.Error()
	}
	if h.KEDA != "" {
		asPods(ctx, a)
	}
	summary := fmt.Sprintf("hpa %d of %d..%d, wants %d,", a.Status.CurrentReplicas, *a.Spec.MinReplicas, a.Spec.MaxReplicas, a.Status.DesiredReplicas)
	for _, metric := range []string{queueMetric, firstMetric, gpuMetric, cpuMetric} {
		if v, known := value(a, metric); known {
			summary += fmt.Sprintf(" %s %g", metric, v)
		}
	}
	for _, c := range a.Status.Conditions {
		if c.Type == autoscalingv2.ScalingActive && c.Status != corev1.ConditionTrue {
			summary += fmt.Sprintf(", %s: %s", c.Reason, c.Message)
		}
	}
	return a, summary
}

// value returns the last value of a metric in the status of a HorizontalPodAutoscaler.
func value(a *autoscalingv2.HorizontalPodAutoscaler, metric string) (float64, bool) {
	for _, m := range a.Status.CurrentMetrics {
		if m.Pods != nil && m.Pods.Metric.Name == metric && m.Pods.Current.AverageValue != nil {
			return m.Pods.Current.AverageValue.AsApproximateFloat64(), true
		}
		if m.ContainerResource != nil && metric == cpuMetric && m.ContainerResource.Current.AverageUtilization != nil {
			return float64(*m.ContainerResource.Current.AverageUtilization), true
		}
	}
	return 0, false
}

// active reports whether the condition ScalingActive is true.
func active(a *autoscalingv2.HorizontalPodAutoscaler) bool {
	for _, c := range a.Status.Conditions {
		if c.Type == autoscalingv2.ScalingActive {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// reads waits until the HorizontalPodAutoscaler is active and has a value of a metric.
func (s *scenario) reads(namespace, name, metric string) {
	s.Helper()
	s.eventually(name+" reads "+metric, func() (bool, string) {
		a, summary := hpa(s.Context(), namespace, name)
		_, known := value(a, metric)
		return known && active(a), summary
	})
}

// becomes waits until a Deployment has a number of wanted and ready replicas.
func (s *scenario) becomes(namespace, name string, want int) {
	s.Helper()
	s.eventually(fmt.Sprintf("%s has %d ready replicas", name, want), func() (bool, string) {
		wanted, ready, err := size(s.Context(), namespace, name)
		_, summary := hpa(s.Context(), namespace, name)
		if err != nil {
			return false, err.Error()
		}
		return wanted == want && ready == want, fmt.Sprintf("%d wanted, %d ready, %s", wanted, ready, summary)
	})
}

// stays checks that the wanted replicas of a Deployment do not change for a duration.
func (s *scenario) stays(namespace, name string, want int, d time.Duration) {
	s.Helper()
	s.consistently(fmt.Sprintf("%s stays at %d", name, want), d, func() (bool, string) {
		wanted, _, err := size(s.Context(), namespace, name)
		if err != nil {
			return false, err.Error()
		}
		return wanted == want, fmt.Sprintf("%d wanted", wanted)
	})
}

// record records a lease until the end of the scenario, and writes a table and a plot.
func (s *scenario) record(title, namespace, name, metric string, threshold float64) {
	r := &record.Recording{Name: s.name, Title: title, Metric: metric, Threshold: threshold}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx, func(ctx context.Context) (record.Point, error) {
			wanted, ready, err := size(ctx, namespace, name)
			if err != nil {
				return record.Point{}, err
			}
			p := record.Point{Load: h.Fleet.Behavior(namespace + "/" + name).Rate, Replicas: wanted, Ready: ready, Value: -1}
			a, _ := hpa(ctx, namespace, name)
			if v, known := value(a, metric); known {
				p.Value = v
			}
			return p, nil
		})
	}()
	s.Cleanup(func() {
		cancel()
		<-done
		if err := r.Write(h.Results); err != nil {
			s.step("no plot: %v", err)
			return
		}
		s.step("plot: %s/%s.svg", h.Results, strings.TrimSpace(s.name))
	})
}
