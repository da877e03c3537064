package simulation

import (
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestPod follows three requests through a pod with one instance and a service time of
// one second.
func TestPod(t *testing.T) {
	pod := newPod("p", 0, Model{Instances: 1, Service: 1, Threshold: 0.5}, 0)
	for _, at := range []float64{0, 0.25, 0.5} {
		pod.enqueue(arrival{sent: at, service: 1}, at)
	}
	// They start at 0, 1 and 2, so they wait 0, 0.75 and 1.5 s.
	for _, step := range []struct {
		now, over, success, queued float64
		pending                    int
	}{
		{now: 0.75, over: 0, success: 0, queued: 0, pending: 2},
		{now: 1.25, over: 0.25, success: 1, queued: 0, pending: 1},
		{now: 1.75, over: 0, success: 1, queued: 0, pending: 1}, // the second is served, and not counted yet
		{now: 2, over: 1, success: 2, queued: 750_000, pending: 0},
		{now: 3, over: 0, success: 3, queued: 2_250_000, pending: 0},
	} {
		over := pod.advance(step.now)
		if over != step.over || pod.success != step.success || pod.queued != step.queued || pod.pending() != step.pending {
			t.Errorf("at %v: over %v, success %v, queued %v, pending %d; want %+v",
				step.now, over, pod.success, pod.queued, pod.pending(), step)
		}
	}
	if !pod.idle() {
		t.Error("not idle")
	}
}

// TestEnginePod follows two requests through a pod with an engine that serves one at a
// time. The second completes before the first in another pod with two instances.
func TestEnginePod(t *testing.T) {
	model := Model{Instances: 1, Service: 1, First: 0.5, Engine: true, Threshold: 0.75}
	pod := newPod("p", 0, model, 0)
	pod.enqueue(arrival{sent: 0, service: 2}, 0)
	pod.enqueue(arrival{sent: 0.25, service: 1}, 0.25)
	if pod.success != 2 || pod.queued != 2*handOver || pod.pending() != 0 {
		t.Errorf("success %v, queued %v, pending %d", pod.success, pod.queued, pod.pending())
	}
	// They start at 0 and 2, so their first responses take 0.5 and 2.25 s.
	if over := pod.advance(1); over != 0 || pod.firstCount != 1 || pod.firstSum != 500 {
		t.Errorf("over %v, %v first responses in %v ms", over, pod.firstCount, pod.firstSum)
	}
	if over := pod.advance(2.5); over != 1.5 || pod.firstCount != 2 || pod.firstSum != 2750 || pod.idle() {
		t.Errorf("over %v, %v first responses in %v ms, idle %t", over, pod.firstCount, pod.firstSum, pod.idle())
	}
	if pod.advance(3); !pod.idle() || pod.success != 2 {
		t.Errorf("idle %t, success %v", pod.idle(), pod.success)
	}
	model.Instances, model.Engine = 2, false
	pod = newPod("p", 0, model, 0)
	pod.enqueue(arrival{sent: 0, service: 20}, 0)
	pod.enqueue(arrival{sent: 0, service: 10}, 0)
	if pod.advance(15); pod.success != 1 || pod.idle() {
		t.Errorf("idle %t, success %v", pod.idle(), pod.success)
	}
}

// TestDrain checks that requests of a killed pod are sent again, and keep the time that
// they have waited.
func TestDrain(t *testing.T) {
	f := newFleet(Model{Instances: 1, Service: 100, Threshold: 1, Drain: 30}, 60, 1, 1)
	f.advance(1, []arrival{{0, 100}, {0, 100}})
	f.Scale(2)
	f.advance(1+60, nil) // the second is ready
	f.Scale(1)           // removes the second
	f.advance(100, []arrival{{99, 100}})
	if len(f.pods) != 1 || len(f.ending) != 0 || f.pods[0].pending() != 1 {
		t.Fatalf("%d pods, %d ending, %d pending", len(f.pods), len(f.ending), f.pods[0].pending())
	}
	f.Scale(0)
	f.advance(100+30, nil)
	if len(f.unserved) != 1 || f.unserved[0].sent != 99 {
		t.Fatalf("unserved: %v", f.unserved)
	}
	// The second request waited from 0 to 100, the third since 99.
	if got := f.finish().OverThreshold; got != 99+30 {
		t.Errorf("over %v", got)
	}
}

// TestLanguageModel checks the distribution of the service times.
func TestLanguageModel(t *testing.T) {
	m := LanguageModel()
	random := rand.New(rand.NewPCG(1, 1))
	const n = 200_000
	sum, below := 0.0, 0
	for range n {
		service := m.draw(random)
		if service < m.Shortest || service > m.Longest {
			t.Fatalf("%v s", service)
		}
		if sum += service; service < m.Service {
			below++
		}
	}
	if mean := sum / n; math.Abs(mean/m.mean()-1) > 0.01 || below < n*49/100 || below > n*51/100 {
		t.Errorf("a mean of %v, want %v; %d of %d below the median", mean, m.mean(), below, n)
	}
}

// scrapes returns the series of a pod with counters that grow evenly, scraped every 15 s
// from first to last.
func scrapes(first, last, perSecond, wait float64) *series {
	s := &series{}
	for at := first; at <= last; at += 15 {
		done := perSecond * (at - first)
		s.samples = append(s.samples, sample{at: at, success: done, queued: done * wait})
	}
	return s
}

// Rendered manifests of the chart, with a window of a minute.
const (
	queueTimeManifests     = "../../../testdata/golden/queue-time.yaml"
	languageModelManifests = "../../../testdata/golden/language-model.yaml"
)

// TestSeries compares the arithmetic with the results of a real Prometheus on the
// same series: the table of docs/signals.md. The rule of the rendered chart must give the
// same as the expression of the simulation.
func TestSeries(t *testing.T) {
	promql, err := Rule(queueTimeManifests, "tms_avg_request_queue_duration")
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := parse(promql, exported)
	if err != nil {
		t.Fatal(err)
	}
	idle := scrapes(0, 600, 0, 0)
	jammed := scrapes(0, 600, 0, 0)
	for i := range jammed.samples {
		jammed.samples[i].pending = 500
	}
	young := &series{samples: jammed.samples[len(jammed.samples)-2:]}
	for _, c := range []struct {
		name       string
		expression Expression
		series     *series
		want       float64
	}{
		{"10 requests/s that wait 20 ms", ours(60), scrapes(0, 600, 10, 20_000), 20_000},
		{"10 requests/s that wait 20 ms", rendered, scrapes(0, 600, 10, 20_000), 20_000},
		{"10 requests/s that wait 20 ms", tutorial, scrapes(0, 600, 10, 20_000), 20_000},
		{"10 requests/s that wait 20 ms", onprem, scrapes(0, 600, 10, 20_000), 20_000 * 300. / 301},
		{"a request each 10 s that waits 30 s", ours(60), scrapes(0, 600, 0.1, 3e7), 3e7},
		{"a request each 10 s that waits 30 s", rendered, scrapes(0, 600, 0.1, 3e7), 3e7},
		{"a request each 10 s that waits 30 s", tutorial, scrapes(0, 600, 0.1, 3e7), 3e6},
		{"a request each 10 s that waits 30 s", onprem, scrapes(0, 600, 0.1, 3e7), 2.25e7},
		{"idle", ours(60), idle, 0},
		{"idle", rendered, idle, 0},
		{"idle", tutorial, idle, 0},
		{"idle", onprem, idle, 0},
		{"500 wait, none completes", ours(60), jammed, 6e7},
		{"500 wait, none completes", rendered, jammed, 6e7},
		{"500 wait, none completes", tutorial, jammed, 0},
		{"500 wait, none completes", onprem, jammed, 0},
		{"the same in a pod younger than the window", ours(60), young, 0},
		{"the same in a pod younger than the window", rendered, young, 0},
	} {
		got, ok := c.expression(c.series, 605)
		if !ok || math.Abs(got-c.want) > 1e-6*c.want {
			t.Errorf("%s: %v, %v; want %v", c.name, got, ok, c.want)
		}
	}
}

// TestRateOfNewCounter checks that the extrapolation at the start of a counter never goes
// below 0.
func TestRateOfNewCounter(t *testing.T) {
	s := &series{samples: []sample{{at: 100, success: 5}, {at: 115, success: 155}}}
	// The increase is 150 in 15 s. It is extrapolated by 0.5 s to the left, where the counter
	// would be 0, and by 3 s to the right.
	got, ok := s.increase(success, 118, 60, true)
	if want := 150 * (15 + 0.5 + 3) / 15; !ok || math.Abs(got-want) > 1e-9 {
		t.Errorf("%v, %v; want %v", got, ok, want)
	}
	if _, ok := s.rate(success, 130, 30); ok { // (100, 130] has one sample
		t.Error("one sample has a rate")
	}
}

// TestArrivals checks that the noise of the daily wave has a mean of zero.
func TestArrivals(t *testing.T) {
	wave := Traffics()[2]
	a, n, want := newArrivals(wave, DefaultModel(), 1), 0, 0.0
	var requests []arrival
	for second := range int(wave.Length) {
		requests = a.second(float64(second), requests[:0])
		n += len(requests)
		want += wave.Rate(float64(second))
	}
	if ratio := float64(n) / want; ratio < 0.95 || ratio > 1.05 {
		t.Errorf("%d requests, want about %.0f", n, want)
	}
}

func TestCompare(t *testing.T) {
	ours := Figures{OverThreshold: 10, ReplicaSeconds: 10}
	for _, c := range []struct {
		over, cost float64
		want       Verdict
	}{
		{10, 10, Wins},
		{11, 9, Buys},
		{9, 11, Saves},
		{9, 10, Loses},
		{9, 9, Loses},
	} {
		if got := Compare(ours, Figures{OverThreshold: c.over, ReplicaSeconds: c.cost}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestFirstResponse checks the chart's rule of the time to the first response. promtool gives
// the same values for these series.
func TestFirstResponse(t *testing.T) {
	promql, err := Rule(languageModelManifests, "tms_avg_first_response_duration")
	if err != nil {
		t.Fatal(err)
	}
	rule, err := parse(promql, exported)
	if err != nil {
		t.Fatal(err)
	}
	// engine returns the series of an engine that begins at a time, scraped every 15 s until
	// 600 s. It has taken over and answered requests, whose first response took first
	// milliseconds.
	engine := func(begin float64, taken, answered func(at float64) float64, first float64) *series {
		s := &series{}
		for at := begin; at <= 600; at += 15 {
			in, out := taken(at), answered(at)
			s.samples = append(s.samples, sample{at: at, success: in, queued: in * handOver, firstCount: out, firstSum: out * first})
		}
		return s
	}
	perSecond := func(n float64) func(float64) float64 { return func(at float64) float64 { return n * at } }
	since := func(second float64) func(float64) float64 {
		return func(at float64) float64 { return 30 + max(0, at-second) }
	}
	steady := engine(0, perSecond(10), perSecond(10), 800)
	never := since(600) // 30 requests long ago, and none since then
	for _, c := range []struct {
		name   string
		series *series
		want   float64
	}{
		{"steady: 10 requests/s with a first response after 800 ms", steady, 800_000},
		{"10 requests/s taken over, 4/s answered after 50 s", engine(0, perSecond(10), perSecond(4), 50_000), 5e7},
		{"jam: the engine takes over requests and answers none", engine(0, since(0), never, 800), 6e7},
		{"the same for less than half a window", engine(0, since(580), never, 800), 0},
		{"the same in a pod younger than the window", engine(570, since(0), never, 800), 0},
		{"long generations end, and no new one begins", engine(0, since(0), func(float64) float64 { return 1000 }, 800), 0},
		{"idle after 30 requests", engine(0, never, never, 800), 0},
		{"idle, never a request", engine(0, perSecond(0), perSecond(0), 0), 0},
	} {
		if got, ok := rule(c.series, 605); !ok || math.Abs(got-c.want) > 1e-6*c.want {
			t.Errorf("%s: %v, %v; want %v", c.name, got, ok, c.want)
		}
	}
	if got, ok := rule(&series{samples: steady.samples[:1]}, 5); ok {
		t.Errorf("one scrape has the value %v", got)
	}
	noHistogram := maps.Clone(exported)
	for name := range noHistogram {
		if strings.Contains(name, "histogram") {
			noHistogram[name] = nil
		}
	}
	if rule, err = parse(promql, noHistogram); err != nil {
		t.Fatal(err)
	}
	if got, ok := rule(steady, 605); ok {
		t.Errorf("no histogram: the value is %v", got)
	}
}

func TestParse(t *testing.T) {
	s := scrapes(0, 600, 10, 20_000)
	s.samples[len(s.samples)-1].pending = 7
	for _, c := range []struct {
		promql string
		want   float64
		ok     bool
	}{
		{"1 + 2 * 3", 7, true},
		{"(1 + 2) * 3 - -1", 10, true},
		{"60000000 / 1e6", 60, true},
		{"1 or 2", 1, true},
		{"nv_inference_pending_request_count{pod=\"a\"} > 6", 7, true},
		{"6 < nv_inference_pending_request_count # waiting", 7, true},
		{"nv_inference_pending_request_count > 7", 0, false},
		{"nv_inference_pending_request_count > 7 or on (pod) group by (pod) (nv_inference_request_success)", 1, true},
		{"nv_inference_pending_request_count unless nv_inference_request_success", 0, false},
		{"nv_inference_request_success and nv_inference_request_failure", 6000, true},
		{"sum(rate(nv_inference_request_success[1m])) by (pod)", 10, true},
		{"max_over_time(nv_inference_pending_request_count[1m])", 7, true},
		{"max_over_time(nv_inference_pending_request_count[1m] offset 1m)", 0, true},
		{"nv_inference_request_success offset 1m", 5400, true},
		{"nv_inference_request_success offset 60000ms >= ignoring (pod) (nv_inference_request_success > 0)", 0, false},
		{"nv_trt_llm_request_metrics{request_type=\"max\"} or min_over_time(nv_trt_llm_request_metrics[1m] offset 1m)", 0, false},
	} {
		expression, err := parse(c.promql, exported)
		if err != nil {
			t.Errorf("%s: %v", c.promql, err)
			continue
		}
		if got, ok := expression(s, 605); ok != c.ok || ok && math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, %v; want %v, %v", c.promql, got, ok, c.want, c.ok)
		}
	}
	for _, promql := range []string{"", "1 +", "(1", "up", "rate(up[1m])", "nv_energy_consumption", "rate(nv_inference_request_success[soon])", "1 2", "sum by (pod", "$"} {
		if _, err := parse(promql, exported); err == nil {
			t.Errorf("%q is parsed", promql)
		}
	}
}
