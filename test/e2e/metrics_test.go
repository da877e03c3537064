//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/triton-leases/tms/test/e2e/triton"
)

// metricLease returns values with a lease, and with metrics as the YAML of
// server.autoscaling.metrics.
func metricLease(maximum int, metrics string) string {
	return fmt.Sprintf(`
server: {autoscaling: {metrics: %s}}
leases:
  llm:
    models: [{name: llama, uri: "s3://models/llm"}, {name: tokenizer, uri: "s3://models/llm"}]
    triton: {resources: {limits: {nvidia.com/gpu: 2}}}
    autoscaling: {enable: true, replicas: {maximum: %d}}
`, metrics, maximum)
}

const llm = "tms-llm"

// TestGPU checks that a lease scales on the mean utilization of a pod's GPUs.
func TestGPU(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "gpu")
	namespace := s.namespace("", nil)
	s.install(3, namespace, "tms", metricLease(3, "{gpuUtilization: {enabled: true, threshold: {default: 60}}}"))
	s.record("GPU utilization, two GPUs for each pod", namespace, llm, gpuMetric, 60)
	workload := namespace + "/" + llm
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.GPU = []float64{1, 0.8} })
	s.reads(namespace, llm, gpuMetric)
	s.load(workload, 400)
	s.becomes(namespace, llm, 3)
	s.eventually("the value of every pod is the mean of its GPUs, 90", func() (bool, string) {
		samples, err := h.Prometheus.Query(s.Context(), fmt.Sprintf("%s{namespace=%q} > 85 < 95", gpuMetric, namespace))
		return err == nil && len(samples) == 3, fmt.Sprint(samples, err)
	})
	s.load(workload, 1)
	s.becomes(namespace, llm, 1)
}

// TestCPU checks that a lease scales on CPU, through the kubelet and metrics-server.
func TestCPU(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "cpu")
	namespace := s.namespace("", nil)
	s.install(4, namespace, "tms", metricLease(3, "{cpuUtilization: {enabled: true, threshold: {default: 60}}}"))
	s.record("CPU utilization", namespace, llm, cpuMetric, 60)
	workload := namespace + "/" + llm
	// There are two models with one instance each. Each uses 0.45 cores, in total 90 % of
	// the request.
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.CPU = 0.45 })
	s.reads(namespace, llm, cpuMetric)
	s.load(workload, 400)
	s.becomes(namespace, llm, 3)
	s.load(workload, 1)
	s.becomes(namespace, llm, 1)
}

// TestLargestWins checks that the metric that needs the most replicas wins. The GPUs are
// busy and the queues are empty, because many instances share the GPUs.
func TestLargestWins(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "largest-wins")
	namespace := s.namespace("", nil)
	s.install(3, namespace, "tms", metricLease(4, "{gpuUtilization: {enabled: true, threshold: {default: 50}}, queueTime: {enabled: true, threshold: {default: 100000}}}"))
	workload := namespace + "/" + llm
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.Instances = 8 })
	s.reads(namespace, llm, gpuMetric)
	s.reads(namespace, llm, queueMetric)
	// Two models with 8 instances each serve 320 requests per second. 240 requests per
	// second are a utilization of 75 %, which needs two pods.
	s.load(workload, 240)
	s.becomes(namespace, llm, 2)
	s.stays(namespace, llm, 2, 20*time.Second)
	a, summary := hpa(s.Context(), namespace, llm)
	if queue, known := value(a, queueMetric); !known || queue > 50000 {
		s.fatal("the queue is not short: %s", summary)
	}
	s.step("only the GPU metric needs two replicas: %s", summary)
}

// TestMissingMetric checks that a missing metric does not prevent another metric from
// scaling up. It prevents scaling down, as docs/troubleshooting.md explains.
func TestMissingMetric(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "missing-metric")
	namespace := s.namespace("", nil)
	workload := namespace + "/" + llm
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.GPU = nil })
	s.install(4, namespace, "tms", metricLease(3, "{gpuUtilization: {enabled: true}, queueTime: {enabled: true, threshold: {default: 100000}}}"))
	s.eventually("the HPA has the queueTime metric and misses the GPU metric", func() (bool, string) {
		a, summary := hpa(s.Context(), namespace, llm)
		_, queue := value(a, queueMetric)
		_, gpu := value(a, gpuMetric)
		return queue && !gpu && !active(a), summary
	})
	s.load(workload, 400)
	s.becomes(namespace, llm, 3)
	s.load(workload, 1)
	s.eventually("the queue is empty", func() (bool, string) {
		a, summary := hpa(s.Context(), namespace, llm)
		queue, known := value(a, queueMetric)
		return known && queue < 50000, summary
	})
	s.stays(namespace, llm, 3, 40*time.Second)
	s.step("the GPU metric appears")
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.GPU = []float64{1} })
	s.becomes(namespace, llm, 1)
}
