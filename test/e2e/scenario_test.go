//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/triton-leases/tms/test/e2e/helm"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// limit is the timeout of each wait. It is long, because the machine may be slow.
const limit = 4 * time.Minute

// scenario is a test with its own namespaces and steps in the log.
type scenario struct {
	*testing.T
	name       string
	namespaces []string
}

// newScenario starts a scenario. Its result is a row of the final table. If it fails, the
// state of its namespaces is written into the folder of the logs.
func newScenario(t *testing.T, name string) *scenario {
	s := &scenario{T: t, name: name}
	start := time.Now()
	t.Cleanup(func() {
		outcome := "ok"
		if t.Failed() {
			outcome = "FAILED"
			s.keepState()
		}
		h.Log.Result(name, outcome, time.Since(start))
		h.Log.Step(name, "%s after %.0f s", outcome, time.Since(start).Seconds())
	})
	return s
}

// step logs an action or an observation.
func (s *scenario) step(format string, args ...any) { h.Log.Step(s.name, format, args...) }

// fatal logs a message and fails the scenario with it.
func (s *scenario) fatal(format string, args ...any) {
	s.Helper()
	s.step("FAILED: "+format, args...)
	s.Fatalf(format, args...)
}

// must fails the scenario if err is not nil.
func (s *scenario) must(err error) {
	s.Helper()
	if err != nil {
		s.fatal("%v", err)
	}
}

// namespace creates a namespace that enforces the restricted Pod Security Standard.
func (s *scenario) namespace(suffix string, labels map[string]string) string {
	s.Helper()
	name := "e2e-" + s.name + suffix
	s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(name, labels)))
	s.namespaces = append(s.namespaces, name)
	s.Cleanup(func() {
		if !s.Failed() && os.Getenv("KEEP") == "" {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_, _ = h.Cluster.Kubectl(ctx, "", "delete", "namespace", name, "--wait=false")
		}
	})
	return name
}

func restrictedNamespace(name string, labels map[string]string) string {
	var more strings.Builder
	for key, value := range labels {
		_, _ = fmt.Fprintf(&more, ", %s: %q", key, value)
	}
	return fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted,
  pod-security.kubernetes.io/warn: restricted, pod-security.kubernetes.io/audit: restricted%s}}}`, name, more.String())
}

// install installs the chart with helm install --wait.
func (s *scenario) install(version int, namespace, name string, values ...string) helm.Release {
	s.Helper()
	r := helm.Release{Name: name, Namespace: namespace, Chart: h.Chart}
	s.step("helm%d install %s --wait, in %s", version, name, namespace)
	printed, err := h.Helm(version).Install(s.Context(), r, append([]string{shortened}, values...)...)
	s.must(err)
	for line := range strings.Lines(printed) {
		if strings.HasPrefix(line, "WARNING:") {
			s.step("helm prints: %s", line)
		}
	}
	return r
}

// load sets the number of requests per second to a workload.
func (s *scenario) load(workload string, rate float64) {
	s.step("load of %s: %g requests/s", workload, rate)
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.Rate = rate })
}

// eventually waits until a condition is true. The condition also returns the state that
// it observed, for the log.
func (s *scenario) eventually(what string, condition func() (bool, string)) {
	s.Helper()
	start, last := time.Now(), ""
	for time.Since(start) < limit {
		done, observed := condition()
		if observed != last {
			h.Log.Detail(s.name, "waiting until %s: %s", what, observed)
		}
		if last = observed; done {
			s.step("%s (%.0f s): %s", what, time.Since(start).Seconds(), last)
			return
		}
		s.pause(500 * time.Millisecond)
	}
	s.fatal("timed out after %s: %s\nlast observed: %s", limit, what, last)
}

// consistently checks that a condition is true for a duration.
func (s *scenario) consistently(what string, d time.Duration, condition func() (bool, string)) {
	s.Helper()
	last := ""
	for start := time.Now(); time.Since(start) < d; s.pause(500 * time.Millisecond) {
		var ok bool
		if ok, last = condition(); !ok {
			s.fatal("no longer true: %s\nobserved: %s", what, last)
		}
	}
	s.step("%s for %s: %s", what, d, last)
}

func (s *scenario) pause(d time.Duration) {
	s.Helper()
	select {
	case <-s.Context().Done():
		s.Fatal("interrupted")
	case <-time.After(d):
	}
}

// keepState writes the output of kubectl and Prometheus for debugging into the folder of
// the logs.
func (s *scenario) keepState() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var text strings.Builder
	for _, namespace := range s.namespaces {
		for _, args := range [][]string{
			{"get", "hpa,deployment,pod,podmonitor,prometheusrule", "-o", "wide", "--show-labels"},
			{"describe", "hpa"},
			{"get", "events", "--sort-by=.lastTimestamp"},
			{"get", "pods", "-o", "yaml"},
		} {
			out, err := h.Cluster.Kubectl(ctx, "", append(args, "-n", namespace)...)
			_, _ = fmt.Fprintf(&text, "$ kubectl %s -n %s\n%s%s(%v)\n\n", strings.Join(args, " "), namespace, out.Stdout, out.Stderr, err)
		}
		for _, query := range []string{queueMetric, firstMetric, gpuMetric, "nv_inference_request_success", "up"} {
			samples, err := h.Prometheus.Query(ctx, fmt.Sprintf("%s{namespace=%q}", query, namespace))
			_, _ = fmt.Fprintf(&text, "Prometheus: %s: %v (%v)\n", query, samples, err)
		}
	}
	path := filepath.Join(h.Logs(), "state-"+s.name+".txt")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		s.step("the state is not written: %v", err)
		return
	}
	s.step("the state of its namespaces is in %s", path)
}
