package hpasim

import (
	"math"
	"testing"
)

// TestPod follows three requests through a pod with one instance and a service time of
// one second.
func TestPod(t *testing.T) {
	pod := newPod("p", 0, Model{Instances: 1, Service: 1, Threshold: 0.5}, 0)
	for _, at := range []float64{0, 0.25, 0.5} {
		pod.enqueue(at, at)
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

// TestDrain checks that requests of a killed pod are sent again, and keep the time that
// they have waited.
func TestDrain(t *testing.T) {
	f := newFleet(Model{Instances: 1, Service: 100, Threshold: 1}, 60, 1, 1)
	f.advance(1, []float64{0, 0})
	f.Scale(2)
	f.advance(1+60, nil) // the second is ready
	f.Scale(1)           // removes the second
	f.advance(100, []float64{99})
	if len(f.pods) != 1 || len(f.ending) != 0 || f.pods[0].pending() != 1 {
		t.Fatalf("%d pods, %d ending, %d pending", len(f.pods), len(f.ending), f.pods[0].pending())
	}
	f.Scale(0)
	f.advance(100+drainFor, nil)
	if len(f.unserved) != 1 || f.unserved[0] != 99 {
		t.Fatalf("unserved: %v", f.unserved)
	}
	// The second request waited from 0 to 100, the third since 99.
	if got := f.finish().OverThreshold; got != 99+30 {
		t.Errorf("over %v", got)
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

// TestSeries compares the arithmetic with the results of a real Prometheus on the
// same series: the table of docs/signals.md.
func TestSeries(t *testing.T) {
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
		{"10 requests/s that wait 20 ms", tutorial, scrapes(0, 600, 10, 20_000), 20_000},
		{"10 requests/s that wait 20 ms", onprem, scrapes(0, 600, 10, 20_000), 20_000 * 300. / 301},
		{"a request each 10 s that waits 30 s", ours(60), scrapes(0, 600, 0.1, 3e7), 3e7},
		{"a request each 10 s that waits 30 s", tutorial, scrapes(0, 600, 0.1, 3e7), 3e6},
		{"a request each 10 s that waits 30 s", onprem, scrapes(0, 600, 0.1, 3e7), 2.25e7},
		{"idle", ours(60), idle, 0},
		{"idle", tutorial, idle, 0},
		{"idle", onprem, idle, 0},
		{"500 wait, none completes", ours(60), jammed, 6e7},
		{"500 wait, none completes", tutorial, jammed, 0},
		{"500 wait, none completes", onprem, jammed, 0},
		{"the same in a pod younger than the window", ours(60), young, 0},
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
	a, n, want := newArrivals(wave, 1), 0, 0.0
	var times []float64
	for second := range int(wave.Length) {
		times = a.second(float64(second), times[:0])
		n += len(times)
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
