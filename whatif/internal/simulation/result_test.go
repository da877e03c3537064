package simulation

import (
	"math"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// TestResult checks that the parts of a result agree with each other.
func TestResult(t *testing.T) {
	c := Case{Traffic: Step(10, 120, 600), System: chartSystem(t).withThreshold(0.2), Model: DefaultModel(), Cluster: DefaultCluster(), ReadyAfter: 60, Seed: 1}
	r, err := Run(c)
	if err != nil {
		t.Fatal(err)
	}
	var requests, begun, changes int
	waited := 0.0
	for i, second := range r.Seconds {
		requests += second.Requests
		begun += second.Begun
		waited += second.Waited
		if second.Ready > second.Replicas || second.Replicas > int(c.System.Maximum) {
			t.Errorf("second %d: %+v", i, second)
		}
		if i > 0 && second.Replicas != r.Seconds[i-1].Replicas {
			changes++
		}
	}
	if len(r.Seconds) != 600 || requests != r.Waits.Count || begun > requests {
		t.Errorf("%d seconds, %d requests, %d waits, %d begun", len(r.Seconds), requests, r.Waits.Count, begun)
	}
	if changes != int(r.Changes) || changes < 2 {
		t.Errorf("%d changes, want %v", changes, r.Changes)
	}
	if waited > r.Waits.Sum*(1+1e-9) || r.Waits.Longest < c.Model.Threshold {
		t.Errorf("waits of %v s, %v s in total, %v s the longest", waited, r.Waits.Sum, r.Waits.Longest)
	}
}

// TestMinimum checks that a run begins with the minimum of replicas, and that replicas which
// start at once are ready.
func TestMinimum(t *testing.T) {
	system := chartSystem(t).withThreshold(0.2)
	system.Minimum = 3
	r, err := Run(Case{Traffic: Step(1, 1, 60), System: system, Model: DefaultModel(), Cluster: DefaultCluster(), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if last := r.Seconds[len(r.Seconds)-1]; last.Ready != 3 || r.Changes != 0 {
		t.Errorf("%+v, %v changes", last, r.Changes)
	}
}

// TestSeveralMetrics checks that the HPA uses the metric that wants the most replicas.
func TestSeveralMetrics(t *testing.T) {
	constant := func(name string, value float64) Metric {
		return Metric{
			Expression: func(*series, float64) (float64, bool) { return value, true },
			Spec: autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: name},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewQuantity(10, resource.DecimalSI)},
			}},
		}
	}
	for _, values := range [][2]float64{{5, 30}, {30, 5}} {
		system := chartSystem(t)
		system.Metrics = []Metric{constant("a", values[0]), constant("b", values[1])}
		r, err := Run(Case{Traffic: Step(1, 1, 600), System: system, Model: DefaultModel(), Cluster: DefaultCluster(), ReadyAfter: 10, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if last := r.Seconds[len(r.Seconds)-1]; last.Replicas != int(system.Maximum) {
			t.Errorf("%v: %d replicas, want %d", values, last.Replicas, system.Maximum)
		}
	}
}

// TestCluster checks that a slower controller reacts later.
func TestCluster(t *testing.T) {
	firstChange := func(change func(*Cluster)) int {
		c := Case{Traffic: Step(10, 120, 1200), System: chartSystem(t).withThreshold(0.2), Model: DefaultModel(), Cluster: DefaultCluster(), ReadyAfter: 60, Seed: 1}
		change(&c.Cluster)
		r, err := Run(c)
		if err != nil {
			t.Fatal(err)
		}
		for i, second := range r.Seconds {
			if second.Replicas > r.Seconds[0].Replicas {
				return i
			}
		}
		return math.MaxInt
	}
	standard := firstChange(func(*Cluster) {})
	if got := firstChange(func(c *Cluster) { c.SyncPeriod *= 20 }); got <= standard {
		t.Errorf("a sync period of 5 min: scales up after %d s, want more than %d", got, standard)
	}
	if got := firstChange(func(c *Cluster) { c.Tolerance = 1e9 }); got != math.MaxInt {
		t.Errorf("an infinite tolerance: scales up after %d s", got)
	}
	if got := firstChange(func(c *Cluster) { c.RelistInterval *= 10 }); got < 600 {
		t.Errorf("a relist interval of 10 min: scales up after %d s", got)
	}
}

func TestWaits(t *testing.T) {
	w := newWaits()
	if w.Mean() != 0 || w.Quantile(0.5) != 0 {
		t.Errorf("no requests: a mean of %v, a median of %v", w.Mean(), w.Quantile(0.5))
	}
	for i := range 1000 {
		w.add(float64(i) / 100) // 0 to 9.99 s
	}
	w.add(1000)
	if math.Abs(w.Mean()-(999*500/100.+1000)/1001) > 1e-9 || w.Longest != 1000 || w.Count != 1001 {
		t.Errorf("a mean of %v, %v the longest, %d waits", w.Mean(), w.Longest, w.Count)
	}
	for q, want := range map[float64]float64{0.5: 5, 0.99: 9.9, 1: 1000} {
		if got := w.Quantile(q); got < want*0.999 || got > want*1.011 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if got := w.Quantile(0.0005); got != 0 {
		t.Errorf("the shortest wait: %v", got)
	}
}

// TestUtilization checks the GPU utilization of a pod with two instances.
func TestUtilization(t *testing.T) {
	pod := newPod("p", 0, Model{Instances: 2, Service: 1}, 0)
	for _, r := range []struct{ at, service float64 }{{0, 0.25}, {0.125, 0.25}, {0.75, 0.125}, {0.9375, 2}, {3, 0.5}, {3.125, 0.125}, {3.375, 0.25}} {
		pod.enqueue(arrival{sent: r.at, service: r.service}, r.at)
	}
	// Busy from 0 to 0.375, from 0.75 to 0.875, from 0.9375 to 2.9375, and from 3 to 3.625.
	for now, want := range []float64{1: 0.5625, 2: 1, 3: 0.9375, 4: 0.625, 5: 0} {
		if now == 0 {
			continue
		}
		if pod.advance(float64(now)); pod.utilization != want {
			t.Errorf("second %d: %v, want %v", now, pod.utilization, want)
		}
	}
}
