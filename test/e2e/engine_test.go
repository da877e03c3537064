//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/triton-leases/tms/test/e2e/triton"
)

// engineLeases has two leases with the same language model: one scales on the time to the
// first response, the other on the queue time.
const engineLeases = `
images: {triton: "nvcr.io/nvidia/tritonserver:%s"}
server:
  autoscaling:
    metrics:
      firstResponseTime: {allowed: true, threshold: {default: 2000000, minimum: 1000000}}
      queueTime: {allowed: true, threshold: {default: 100000}}
leases:
  first:
    models: [{name: llama, uri: "s3://models/llm"}]
    autoscaling: {enable: true, replicas: {maximum: 3}, metrics: {firstResponseTime: {enabled: true}}}
  queue:
    models: [{name: llama, uri: "s3://models/llm"}]
    autoscaling: {enable: true, replicas: {maximum: 3}, metrics: {queueTime: {enabled: true}}}
`

// TestEngine checks that a lease of a language model scales on the time to the first
// response: one replica, the maximum under load, one again. Its requests wait in the engine,
// so the queue time of Triton stays near 0, and a lease that scales on it stays at one.
func TestEngine(t *testing.T) {
	t.Parallel()
	for engine, tag := range map[triton.Engine]string{triton.EnginePython: "26.08-vllm-python-py3", triton.EngineTensorRT: "26.08-trtllm-python-py3"} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, "engine-"+string(engine))
			namespace := s.namespace("", nil)
			s.install(3, namespace, "tms", fmt.Sprintf(engineLeases, tag))
			const first, queue = "tms-first", "tms-queue"
			s.record("First response time of "+string(engine), namespace, first, firstMetric, 2000000)
			both := func(rate float64) {
				for _, name := range []string{first, queue} {
					h.Fleet.Change(namespace+"/"+name, func(b *triton.Behavior) {
						// A pod serves two requests per second, so three pods serve six.
						b.Engine, b.Service, b.Prefill, b.Instances, b.QueueSize = engine, 2*time.Second, 500*time.Millisecond, 4, 40
					})
					s.load(namespace+"/"+name, rate)
				}
			}
			both(0.5)
			s.reads(namespace, first, firstMetric)
			s.reads(namespace, queue, queueMetric)
			s.stays(namespace, first, 1, 10*time.Second)
			both(30)
			s.becomes(namespace, first, 3)
			s.stays(namespace, first, 3, 20*time.Second)
			s.stays(namespace, queue, 1, time.Second)
			a, summary := hpa(s.Context(), namespace, queue)
			if value, known := value(a, queueMetric); !known || value > 10000 {
				s.fatal("the queue time of Triton is not near 0: %s", summary)
			}
			both(0.5)
			s.becomes(namespace, first, 1)
			s.stays(namespace, first, 1, 10*time.Second)
		})
	}
}
