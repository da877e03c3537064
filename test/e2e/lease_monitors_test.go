//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// monitors returns values that set the form of the monitors of TritonLeases.
func monitors(form string) string {
	return fmt.Sprintf("server: {autoscaling: {prometheus: {monitors: %q}}}", form)
}

// sharingKinds are the kinds of the objects of an autoscaled lease that shares its monitors,
// withoutRules those shortly before, and sharedKinds those of the shared monitors.
const (
	sharingKinds = "Deployment HorizontalPodAutoscaler PodDisruptionBudget Service Service"
	withoutRules = "Deployment HorizontalPodAutoscaler PodDisruptionBudget PodMonitor Service Service"
	sharedKinds  = "PodMonitor PrometheusRule"
)

// TestLeaseMonitors checks that leases that share a PodMonitor and a PrometheusRule scale by
// their own metrics. A second lease does not change the shared monitors, and they are
// deleted with the last lease.
func TestLeaseMonitors(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-monitors")
	l := s.ownLeases(3, monitors("")) // the default
	const busy, idle = "resnet50", "bert"
	l.apply(busy, scaled(3))
	l.serves(busy)
	l.has(busy, sharingKinds)
	l.hasShared(sharedKinds)
	s.reads(l.namespace, objectName(busy), queueMetric)
	before := l.sharedVersions()
	s.diagnoses(nil, busy, "-n", l.namespace)

	l.apply(idle, scaled(3))
	l.serves(idle)
	l.has(idle, sharingKinds)
	s.reads(l.namespace, objectName(idle), queueMetric)
	s.load(l.namespace+"/"+objectName(busy), 300)
	s.becomes(l.namespace, objectName(busy), 3)
	s.stays(l.namespace, objectName(idle), 1, 5*time.Second)
	if after := l.sharedVersions(); after != before {
		s.fatal("the second lease changed the shared monitors: %s, then %s", before, after)
	}
	s.load(l.namespace+"/"+objectName(busy), 1)
	s.becomes(l.namespace, objectName(busy), 1)
	l.quiet(10 * time.Second)

	s.step("another client changes and deletes the shared monitors")
	name := l.sharedName()
	_, err := h.Cluster.Kubectl(s.Context(), "", "patch", "podmonitor", name, "-n", l.namespace, "--type=merge", "-p", `{"spec":{"podMetricsEndpoints":[]}}`)
	s.must(err)
	_, err = h.Cluster.Kubectl(s.Context(), "", "delete", "prometheusrule", name, "-n", l.namespace)
	s.must(err)
	l.hasShared(sharedKinds)
	s.eventually("the PodMonitor has its endpoint again", func() (bool, string) {
		out, err := h.Cluster.Kubectl(s.Context(), "", "get", "podmonitor", name, "-n", l.namespace, "-o", "jsonpath={.spec.podMetricsEndpoints[*].port}")
		return err == nil && out.Stdout == "metrics", fmt.Sprint(out.Stdout, err)
	})

	l.delete(busy)
	l.gone(busy)
	l.hasShared(sharedKinds)
	l.delete(idle)
	l.gone(idle)
	l.hasShared("")
}

// TestLeaseMonitorsHandover changes from monitors per lease to shared ones, and back, under
// traffic. The HorizontalPodAutoscaler has its metric all the time.
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

// sharedName returns the name of the shared monitors.
func (l *leases) sharedName() string { return "tms." + l.release.Namespace + ".leases" }

// sharedMonitors returns the shared monitors of the namespace.
func (l *leases) sharedMonitors() ([]object, error) {
	objects, err := l.all(l.Context())
	return slices.DeleteFunc(objects, func(o object) bool { return o.Name != l.sharedName() }), err
}

// hasShared waits until the namespace has shared monitors of exactly these kinds.
func (l *leases) hasShared(kinds string) {
	l.Helper()
	l.eventually(fmt.Sprintf("the namespace has the shared monitors %q", kinds), func() (bool, string) {
		objects, err := l.sharedMonitors()
		return err == nil && kindsOf(objects) == kinds, fmt.Sprint(kindsOf(objects), err)
	})
}

// sharedVersions returns the UIDs and the resource versions of the shared monitors.
func (l *leases) sharedVersions() string {
	l.Helper()
	objects, err := l.sharedMonitors()
	l.must(err)
	var versions []string
	for _, o := range objects {
		versions = append(versions, fmt.Sprintf("%s %s %s", o.Kind, o.UID, o.ResourceVersion))
	}
	return strings.Join(versions, ", ")
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
