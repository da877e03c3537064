//go:build e2e

package e2e

import (
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
