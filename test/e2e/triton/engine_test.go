package triton

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestEngine checks what Triton counts of the requests of an overloaded engine: 10
// requests per second arrive and 4 are served, for 100 s.
func TestEngine(t *testing.T) {
	const seconds = 100
	b := Behavior{Service: time.Second, Prefill: 200 * time.Millisecond, Instances: 4}
	mean := func(sum time.Duration, n uint64) time.Duration { return sum / time.Duration(max(1, n)) }
	for _, engine := range []Engine{EnginePython, EngineTensorRT} {
		b.Engine = engine
		q := run(10, b, 10*seconds)
		want := uint64(4 * seconds) // completed
		if engine == EnginePython {
			want = 10 * seconds // handed over
		}
		if q.success < want*9/10 || q.success > want*11/10 || q.executed != q.success {
			t.Errorf("%s: %d successes, want about %d", engine, q.success, want)
		}
		if got := mean(q.queued, q.success); got != handOver || q.pending(b) != 0 {
			t.Errorf("%s: a mean queue time of %v and %d pending, want %v and 0", engine, got, q.pending(b), handOver)
		}
		if got := mean(q.requested, q.success); (got < 10*time.Second) != (engine == EnginePython) {
			t.Errorf("%s: a mean request time of %v", engine, got)
		}
		// A request waits 60 s at the end, and 30 s on average.
		if got := mean(q.first.sum, q.first.count); got < 20*time.Second || got > 40*time.Second || q.first.count > 5*seconds {
			t.Errorf("%s: a mean time to the first response of %v in %d, want about 30 s", engine, got, q.first.count)
		}
	}
	b.Jammed = true
	if q := run(10, b, 10*seconds); q.first.count != 0 || q.success != 0 {
		t.Errorf("jammed: %d first responses, %d successes", q.first.count, q.success)
	}
	b.Engine = EnginePython
	if q := run(10, b, 10*seconds); q.first.count != 0 || q.success == 0 {
		t.Errorf("jammed: %d first responses, %d hand-overs", q.first.count, q.success)
	}
}

// TestFirstResponse checks that the first response comes before the request completes.
func TestFirstResponse(t *testing.T) {
	b := Behavior{Engine: EnginePython, Service: 10 * time.Second, Prefill: 300 * time.Millisecond, Instances: 1000}
	q := run(10, b, 200)
	if got := q.first.sum / time.Duration(q.first.count); got != b.Prefill {
		t.Errorf("the first response comes after %v", got)
	}
	if want := [len(bounds)]uint64{0, q.first.count, q.first.count, q.first.count}; q.first.buckets != want {
		t.Errorf("the buckets are %v, want %v", q.first.buckets, want)
	}
}

// TestMetrics checks which metrics Triton exports, by its arguments and its engine.
func TestMetrics(t *testing.T) {
	text := func(b Behavior, v version, arguments ...string) string {
		f := NewFleet()
		at := time.Unix(1e9, 0)
		f.now = func() time.Time { return at }
		o, err := parse(append(arguments, "--model-control-mode=explicit", "--load-model=m"), v)
		if err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{}
		workload := Workload(pod)
		s := newServer(workload, pod, o, &repositories{assumed: o.models}, at, 7)
		s.queues["m"].setRate(10)
		f.servers[workload] = map[*server]bool{s: true}
		f.behaviors[workload] = b
		at = at.Add(100 * time.Second)
		return f.metrics(s)
	}
	engine := Behavior{Engine: EngineTensorRT, Service: time.Second, Instances: 4, MaxActive: 10}
	plain := Behavior{Service: 10 * time.Millisecond, Instances: 1}
	const histogram = "--metrics-config=histogram_latencies=true"
	const first, queue = "nv_inference_first_response_histogram_ms", `nv_inference_queue_duration_us{model="m",version="1"}`
	for _, c := range []struct {
		name  string
		text  string
		has   []string
		lacks []string
	}{
		{"plain", text(plain, newest), []string{queue}, []string{first, "nv_trt_llm"}},
		{"histogram", text(plain, newest, histogram), []string{
			"# TYPE " + first + " histogram\n", first + `_count{model="m",version="1"} `, first + `_sum{model="m",version="1"} `,
			first + `_bucket{model="m",version="1",le="100"} `, first + `_bucket{model="m",version="1",le="+Inf"} `,
		}, nil},
		{"histogram of an old Triton", text(plain, "25.08", histogram), []string{queue}, []string{first}},
		{"histogram of an old Triton's decoupled model", text(engine, "25.08", histogram), []string{first}, nil},
		{
			"no counters", text(plain, newest, "--metrics-config=counter_latencies=false"),
			[]string{"nv_inference_request_success"},
			[]string{"_duration_us"},
		},
		{"TensorRT-LLM", text(engine, newest), []string{
			`nv_trt_llm_request_metrics{model="m",request_type="active",version="1"} 10`,
			`nv_trt_llm_request_metrics{model="m",request_type="max",version="1"} 10`,
			`nv_trt_llm_request_metrics{model="m",request_type="scheduled",version="1"} 4`,
			`nv_trt_llm_request_metrics{model="m",request_type="context",version="1"} 4`,
			`nv_trt_llm_request_metrics{model="m",request_type="waiting",version="1"} 6`,
			`nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="m",version="1"} 1` + "\n",
			`nv_inference_pending_request_count{model="m",version="1"} 0`,
		}, nil},
	} {
		for _, part := range c.has {
			if !strings.Contains(c.text, part) {
				t.Errorf("%s: no %q in\n%s", c.name, part, c.text)
			}
		}
		for _, part := range c.lacks {
			if strings.Contains(c.text, part) {
				t.Errorf("%s: unexpected %q", c.name, part)
			}
		}
	}
}
