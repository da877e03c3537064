//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/triton"
)

// replicas is a number of wanted replicas from a time on, in seconds.
type replicas struct {
	Second   float64 `json:"second"`
	Replicas int     `json:"replicas"`
}

// loadStep is a load in requests per second from a time on.
type loadStep struct {
	at   time.Duration
	rate float64
}

// whatifTolerance is the most by which the times of tms-whatif may differ from those of the
// cluster: 15 scrape intervals, because the machine may be slow.
const whatifTolerance = 30 * time.Second

// TestWhatIf checks that tms-whatif predicts what a lease does under the same load: from one
// replica to the maximum, and back. The steps between them may differ (1 → 4, 1 → 3 → 4).
func TestWhatIf(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "what-if")
	namespace := s.namespace("", nil)
	// With four replicas requests wait for about 40 ms under the load of 50 requests/s, so the
	// queue is empty again before the load ends, and the lease stays at the maximum until then.
	const name, maximum, threshold = "tms-resnet50", 4, 20000
	lease := queueLease("resnet50", maximum, threshold)
	h.Fleet.Change(namespace+"/"+name, func(b *triton.Behavior) {
		b.QueueSize = 0 // tms-whatif has queues without a limit
		b.LoadTime = 5 * time.Second
	})
	s.install(4, namespace, "tms", lease)
	s.record("What tms-whatif predicts", namespace, name, queueMetric, threshold)
	s.load(namespace+"/"+name, 2)
	s.reads(namespace, name, queueMetric)
	s.stays(namespace, name, 1, 10*time.Second)

	measured, load := s.measure(namespace, name, []loadStep{{0, 2}, {20 * time.Second, 50}, {80 * time.Second, 2}}, 200*time.Second)
	predicted := s.predict(namespace, load, s.startup(namespace),
		map[string]string{"shortened.yaml": shortened, "lease.yaml": lease})
	s.step("the cluster: %v", measured)
	s.step("tms-whatif:  %v", predicted)

	want := []int{1, maximum, 1}
	if got := turns(measured); !slices.Equal(got, want) {
		s.fatal("the cluster goes %v, want %v", got, want)
	}
	if got := turns(predicted); !slices.Equal(got, want) {
		s.fatal("tms-whatif goes %v, want %v", got, want)
	}
	for _, event := range []struct {
		what string
		is   func(before, now replicas) bool
	}{
		{"scales up", func(before, now replicas) bool { return now.Replicas > before.Replicas }},
		{"is at the maximum", func(_, now replicas) bool { return now.Replicas == maximum }},
		{"scales down", func(before, now replicas) bool { return now.Replicas < before.Replicas }},
		{"is at the minimum again", func(before, now replicas) bool { return now.Replicas == 1 && before.Replicas > 1 }},
	} {
		real, simulated := first(measured, event.is), first(predicted, event.is)
		s.step("%s: after %.0f s, predicted after %.0f s", event.what, real, simulated)
		if difference := time.Duration((real - simulated) * 1e9).Abs(); difference > whatifTolerance {
			s.fatal("%s: differs by %s, want at most %s", event.what, difference, whatifTolerance)
		}
	}
}

// measure applies a load to a workload. It returns the changes of the replicas, and the
// times at which the load was applied.
func (s *scenario) measure(namespace, name string, load []loadStep, length time.Duration) (changes []replicas, applied []loadStep) {
	s.Helper()
	start := time.Now()
	for time.Since(start) < length {
		if next := len(applied); next < len(load) && time.Since(start) >= load[next].at {
			s.load(namespace+"/"+name, load[next].rate)
			applied = append(applied, loadStep{time.Since(start), load[next].rate})
		}
		wanted, _, err := size(s.Context(), namespace, name)
		s.must(err)
		if n := len(changes); n == 0 || changes[n-1].Replicas != wanted {
			changes = append(changes, replicas{time.Since(start).Seconds(), wanted})
		}
		s.pause(500 * time.Millisecond)
	}
	return changes, append(applied, loadStep{length, 0})
}

// startup returns the time from the creation of a pod of a namespace until it is ready.
func (s *scenario) startup(namespace string) time.Duration {
	s.Helper()
	pods, err := h.Cluster.Client.CoreV1().Pods(namespace).List(s.Context(), metav1.ListOptions{})
	s.must(err)
	for _, pod := range pods.Items {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				return condition.LastTransitionTime.Sub(pod.CreationTimestamp.Time)
			}
		}
	}
	s.fatal("no pod of %s is ready", namespace)
	return 0
}

// predict returns the replicas of tms-whatif under a load. The last step of the load is its
// end.
func (s *scenario) predict(namespace string, load []loadStep, startup time.Duration, values map[string]string) []replicas {
	s.Helper()
	folder := s.TempDir()
	end := len(load) - 1
	rows := ""
	for _, step := range load[:end] {
		rows += fmt.Sprintf("%.1f,%g\n", step.at.Seconds(), step.rate)
	}
	values["load.csv"] = rows
	for name, text := range values {
		s.must(os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
	}
	behavior := triton.Default()
	args := []string{
		"-f", "shortened.yaml", "-f", "lease.yaml", "-n", namespace, "--lease", "resnet50",
		"--traffic", "load.csv", "--length", load[end].at.Round(time.Second).String(),
		"--service-time", behavior.Service.String(), "--instances", fmt.Sprint(behavior.Instances), "--startup", startup.String(),
		"--hpa-sync-period", "2s", "--adapter-relist-interval", "2s", "-o", "json",
	}
	s.step("tms-whatif %v", args)
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, h.Whatif, args...)
	command.Dir, command.Stderr = folder, os.Stderr
	text, err := command.Output()
	s.must(err)
	var printed struct {
		Results []struct{ Timeline []replicas }
	}
	s.must(json.Unmarshal(text, &printed))
	return printed.Results[0].Timeline
}

// turns returns the replicas at the begin, at each change of direction, and at the end.
func turns(timeline []replicas) []int {
	path := []int{timeline[0].Replicas}
	for _, point := range timeline[1:] {
		last := len(path) - 1
		switch {
		case point.Replicas == path[last]:
		case last > 0 && (point.Replicas > path[last]) == (path[last] > path[last-1]):
			path[last] = point.Replicas
		default:
			path = append(path, point.Replicas)
		}
	}
	return path
}

// first returns the second of the first change that matches.
func first(timeline []replicas, is func(before, now replicas) bool) float64 {
	for i := range timeline[1:] {
		if is(timeline[i], timeline[i+1]) {
			return timeline[i+1].Second
		}
	}
	return -1
}
