package triton

import (
	"fmt"
	"strings"
	"time"
)

// metrics returns the metrics of a Triton, with the names, labels and help texts of
// test/conform/testdata/triton-metrics.txt. The counters of a loaded model exist from
// the start, with the value 0.
func (f *Fleet) metrics(s *server) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(s.workload)
	var text strings.Builder
	family := func(name, kind, help string) {
		_, _ = fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	each := func(name, kind, help string, value func(*queue) uint64) {
		family(name, kind, help)
		for _, model := range s.models {
			_, _ = fmt.Fprintf(&text, "%s{model=%q,version=\"1\"} %d\n", name, model, value(s.queues[model]))
		}
	}
	micros := func(d time.Duration) uint64 { return uint64(d.Microseconds()) }

	each("nv_inference_request_success", "counter", "Number of successful inference requests, all batch sizes",
		func(q *queue) uint64 { return q.success })
	family("nv_inference_request_failure", "counter", "Number of failed inference requests, all batch sizes")
	for _, model := range s.models {
		for _, reason := range []string{"OTHER", "REJECTED", "CANCELED", "BACKEND"} {
			count := uint64(0)
			if reason == "REJECTED" {
				count = s.queues[model].rejected
			}
			_, _ = fmt.Fprintf(&text, "nv_inference_request_failure{model=%q,reason=%q,version=\"1\"} %d\n", model, reason, count)
		}
	}
	each("nv_inference_count", "counter", "Number of inferences performed (does not include cached requests)",
		func(q *queue) uint64 { return q.executed })
	each("nv_inference_exec_count", "counter", "Number of model executions performed (does not include cached requests)",
		func(q *queue) uint64 { return q.executed })
	each("nv_inference_request_duration_us", "counter", "Cumulative inference request duration in microseconds (includes cached requests)",
		func(q *queue) uint64 { return micros(q.requested) })
	each("nv_inference_queue_duration_us", "counter", "Cumulative inference queuing duration in microseconds (includes cached requests)",
		func(q *queue) uint64 { return micros(q.queued) })
	each("nv_inference_compute_infer_duration_us", "counter", "Cumulative compute inference duration in microseconds (does not include cached requests)",
		func(q *queue) uint64 { return micros(q.computed) })
	each("nv_inference_pending_request_count", "gauge", "Instantaneous number of pending requests awaiting execution per-model.",
		func(q *queue) uint64 { return uint64(q.pending()) })
	family("nv_pinned_memory_pool_total_bytes", "gauge", "Pinned memory pool total memory size, in bytes")
	text.WriteString("nv_pinned_memory_pool_total_bytes 268435456\n")
	if gpu := f.behavior(s.workload).GPU; len(gpu) > 0 && len(s.gpus) > 0 {
		family("nv_gpu_utilization", "gauge", "GPU utilization rate [0.0 - 1.0)")
		for i, uuid := range s.gpus {
			_, _ = fmt.Fprintf(&text, "nv_gpu_utilization{gpu_uuid=%q} %f\n", uuid, min(1, s.busy)*gpu[min(i, len(gpu)-1)])
		}
	}
	family("nv_cpu_utilization", "gauge", "CPU utilization rate [0.0 - 1.0]")
	text.WriteString("nv_cpu_utilization 0.5\n")
	return text.String()
}
