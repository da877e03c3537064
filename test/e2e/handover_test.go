//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLeaseMonitorsHandover changes from monitors per lease to shared ones, and back, under
// traffic. The HorizontalPodAutoscaler has its metric all the time. The scenario waits for some ten
// minutes. Its file sorts before most others, because go test starts scenarios in that order.
func TestLeaseMonitorsHandover(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-monitors-handover")
	l := s.ownLeases(3, monitors("perLease"))
	const name = "resnet50"
	object := objectName(name)
	l.apply(name, scaled(3))
	l.serves(name)
	l.has(name, scaledKinds)
	s.reads(l.namespace, object, queueMetric)
	s.load(l.namespace+"/"+object, 300)
	s.becomes(l.namespace, object, 3)

	s.controlMonitor(l.namespace)
	gaps, lowest := s.watchMetric(l.namespace, object, queueMetric), s.watchLowest(l.namespace, object)
	l.configure(monitors("shared"))
	l.hasShared(sharedKinds)
	l.has(name, scaledKinds) // both forms
	l.has(name, withoutRules)
	l.has(name, sharingKinds)
	s.stays(l.namespace, object, 3, 20*time.Second)

	l.configure(monitors("perLease"))
	l.has(name, scaledKinds)
	l.hasShared("PodMonitor") // the rules go first
	l.hasShared("")
	s.stays(l.namespace, object, 3, 20*time.Second)
	if found := gaps(); len(found) > 0 {
		s.fatal("the metric was missing:\n%s", strings.Join(found, "\n"))
	}
	if n := lowest(); n < 3 {
		s.fatal("the Deployment had %d wanted replicas in between", n)
	}
	l.quiet(10 * time.Second)
}

// controlMonitor creates a PodMonitor that no handover changes. Its scrapes show whether a busy
// machine made Prometheus miss scrapes, which leaves a gap in every series.
func (s *scenario) controlMonitor(namespace string) {
	s.Helper()
	_, err := h.Cluster.Kubectl(s.Context(), `
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: control, namespace: `+namespace+`, labels: {release: prometheus}}
spec:
  selector: {matchLabels: {app.kubernetes.io/component: triton}}
  podMetricsEndpoints: [{port: metrics, path: /metrics, interval: 2s}]
`, "apply", "-f", "-")
	s.must(err)
	s.eventually("Prometheus scrapes for the control PodMonitor", func() (bool, string) { return hasScrapes(s.Context(), namespace) })
}

// hasScrapes reports whether the control PodMonitor had all but one of its scrapes in each rate
// window that ended in the last 10 s.
func hasScrapes(ctx context.Context, namespace string) (bool, string) {
	query := fmt.Sprintf("min_over_time(min(count_over_time(nv_inference_request_success{job=\"%s/control\"}[8s]))[10s:1s]) >= 3", namespace)
	samples, err := h.Prometheus.Query(ctx, query)
	return len(samples) > 0, fmt.Sprint(query, ": ", samples, err)
}

// watchMetric watches the condition ScalingActive of a HorizontalPodAutoscaler and the series
// of its metric. The returned function stops the watch and returns when either was missing
// although Prometheus scraped the pods: see controlMonitor.
func (s *scenario) watchMetric(namespace, name, metric string) func() []string {
	ctx, cancel := context.WithCancel(s.Context())
	found := make(chan []string)
	query := fmt.Sprintf("%s{namespace=%q,pod=~\"%s-.+\"}", metric, namespace, name)
	go func() {
		var gaps []string
		observed := 0
		for ; ctx.Err() == nil; time.Sleep(300 * time.Millisecond) {
			at, missing := time.Now().Format(time.TimeOnly), ""
			// Errors are those of the API servers, which a busy machine may cause.
			if a, summary := hpa(ctx, namespace, name); a.Name != "" && !active(a) {
				missing = summary
			}
			samples, err := h.Prometheus.Query(ctx, query)
			switch {
			case err != nil:
			case len(samples) == 0:
				missing = "no series " + query
			default:
				observed++
			}
			if missing == "" {
				continue
			}
			if scraped, scrapes := hasScrapes(ctx, namespace); scraped {
				gaps = append(gaps, fmt.Sprintf("%s %s, %s", at, missing, scrapes))
			} else if ctx.Err() == nil {
				s.step("Prometheus missed scrapes, %s: %s", scrapes, missing)
			}
		}
		if observed == 0 {
			gaps = append(gaps, "the series was never observed: "+query)
		}
		found <- gaps
	}()
	return func() []string {
		cancel()
		return <-found
	}
}
