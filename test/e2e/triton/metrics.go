package triton

import (
	"fmt"
	"strconv"
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
	b := f.behavior(s.workload)
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
	if s.options.counters {
		each("nv_inference_request_duration_us", "counter", "Cumulative inference request duration in microseconds (includes cached requests)",
			func(q *queue) uint64 { return micros(q.requested) })
		each("nv_inference_queue_duration_us", "counter", "Cumulative inference queuing duration in microseconds (includes cached requests)",
			func(q *queue) uint64 { return micros(q.queued) })
		each("nv_inference_compute_infer_duration_us", "counter", "Cumulative compute inference duration in microseconds (does not include cached requests)",
			func(q *queue) uint64 { return micros(q.computed) })
	}
	each("nv_inference_pending_request_count", "gauge", "Instantaneous number of pending requests awaiting execution per-model.",
		func(q *queue) uint64 { return uint64(q.pending(b)) })
	if s.exportsFirstResponse(b) {
		const name = "nv_inference_first_response_histogram_ms"
		family(name, "histogram", "Duration from request to first response in milliseconds")
		for _, model := range s.models {
			h := s.queues[model].first
			labels := fmt.Sprintf("model=%q,version=\"1\"", model)
			_, _ = fmt.Fprintf(&text, "%s_count{%s} %d\n%s_sum{%s} %s\n", name, labels, h.count,
				name, labels, strconv.FormatFloat(float64(h.sum)/float64(time.Millisecond), 'f', -1, 64))
			for i, bound := range bounds {
				_, _ = fmt.Fprintf(&text, "%s_bucket{%s,le=\"%g\"} %d\n", name, labels, bound, h.buckets[i])
			}
			_, _ = fmt.Fprintf(&text, "%s_bucket{%s,le=\"+Inf\"} %d\n", name, labels, h.count)
		}
	}
	if b.Engine == EngineTensorRT {
		family("nv_trt_llm_request_metrics", "gauge", "TRT LLM request metrics")
		for _, model := range s.models {
			e := s.queues[model].executor(b)
			for _, gauge := range []struct {
				kind  string
				value int
			}{{"active", e.active}, {"max", e.max}, {"scheduled", e.scheduled}, {"context", e.context}, {"waiting", e.active - e.scheduled}} {
				_, _ = fmt.Fprintf(&text, "nv_trt_llm_request_metrics{model=%q,request_type=%q,version=\"1\"} %d\n", model, gauge.kind, gauge.value)
			}
		}
		family("nv_trt_llm_kv_cache_block_metrics", "gauge", "TRT LLM KV cache block metrics")
		for _, model := range s.models {
			e := s.queues[model].executor(b)
			used, all := blocksPerRequest*e.scheduled, blocksPerRequest*max(1, b.Instances)
			for _, gauge := range []struct {
				kind  string
				value float64
			}{
				{"max", float64(all)},
				{"free", float64(all - used)},
				{"used", float64(used)},
				{"tokens_per", 64},
				{"reused", 0},
				{"fraction", float64(used) / float64(all)},
			} {
				_, _ = fmt.Fprintf(&text, "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=%q,model=%q,version=\"1\"} %g\n", gauge.kind, model, gauge.value)
			}
		}
	}
	family("nv_pinned_memory_pool_total_bytes", "gauge", "Pinned memory pool total memory size, in bytes")
	text.WriteString("nv_pinned_memory_pool_total_bytes 268435456\n")
	if gpu := b.GPU; len(gpu) > 0 && len(s.gpus) > 0 {
		family("nv_gpu_utilization", "gauge", "GPU utilization rate [0.0 - 1.0)")
		for i, uuid := range s.gpus {
			_, _ = fmt.Fprintf(&text, "nv_gpu_utilization{gpu_uuid=%q} %f\n", uuid, min(1, s.busy)*gpu[min(i, len(gpu)-1)])
		}
	}
	family("nv_cpu_utilization", "gauge", "CPU utilization rate [0.0 - 1.0]")
	text.WriteString("nv_cpu_utilization 0.5\n")
	return text.String()
}

// exportsFirstResponse reports whether Triton exports the histogram of the time to the
// first response: since 24.11 for decoupled models, which those of an engine are, since
// 26.02 for all.
func (s *server) exportsFirstResponse(b Behavior) bool {
	return s.options.histograms && (s.options.version >= "26.02" || b.Engine != "" && s.options.version >= "24.11")
}

// blocksPerRequest is the number of KV cache blocks that a request of TensorRT-LLM uses.
const blocksPerRequest = 64

// executor is the state of TensorRT-LLM's executor. Requests beyond max wait in a queue
// that is not exported.
type executor struct{ active, max, scheduled, context int }

func (q *queue) executor(b Behavior) executor {
	e := executor{max: max(1, b.Instances, b.MaxActive), scheduled: len(q.busy)}
	e.active = min(e.max, e.scheduled+len(q.waiting))
	for _, r := range q.busy {
		if !r.responded {
			e.context++
		}
	}
	return e
}
