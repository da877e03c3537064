//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseScales checks that a lease is granted, becomes ready, scales up under load and
// down again, and reports that in its status.
func TestLeaseScales(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-scales")
	l := s.leases()
	const name = "resnet50"
	object := objectName(name)
	l.apply(name, `{models: [{name: resnet50, uri: "s3://models/vision"}, {name: bert, uri: "s3://models/text"}], duration: 8h,
  autoscaling: {enable: true, replicas: {minimum: 1, maximum: 50}, metrics: {queueTime: {threshold: 100000}}}}`)
	l.is(name, "Granted", metav1.ConditionTrue, "Adjusted",
		"spec.autoscaling.replicas.maximum: asked 50, granted 4 (server.autoscaling.replicas.limits.maximum)")
	l.hasEvent(name, "Adjusted", "asked 50, granted 4")
	l.has(name, scaledKinds)
	s.record("A TritonLease: one replica, four under load, one again", l.namespace, object, queueMetric, 100000)
	lease := l.serves(name)
	l.reports(lease)

	s.reads(l.namespace, object, queueMetric)
	l.is(name, "Autoscaling", metav1.ConditionTrue, "Scaling", "between 1 and 4 replicas")
	s.load(l.namespace+"/"+object, 300)
	s.becomes(l.namespace, object, 4)
	l.counts(name, 4)
	l.shows(name, "resnet50,bert", "True", "Serving", "4", "1", "4")

	s.load(l.namespace+"/"+object, 1)
	s.becomes(l.namespace, object, 1)
	l.counts(name, 1)
	l.quiet(15 * time.Second)

	l.step("a change of the lease changes its objects")
	l.patch(name, `{"autoscaling":{"replicas":{"maximum":2}}}`)
	l.is(name, "Granted", metav1.ConditionTrue, "Granted")
	l.eventually("the HorizontalPodAutoscaler has the new maximum", func() (bool, string) {
		a, summary := hpa(l.Context(), l.namespace, object)
		return a.Spec.MaxReplicas == 2, summary
	})
	l.delete(name)
	l.gone(name)
}

// reports checks the status of a lease, except for its conditions.
func (l *leases) reports(lease *tritonLease) {
	l.Helper()
	st := lease.Status
	want := lease.CreationTimestamp.Add(8 * time.Hour)
	switch g := st.Granted; {
	case g == nil:
		l.fatal("status.granted is missing")
	case !g.Autoscaled || g.MinReplicas != 1 || g.MaxReplicas != 4 || g.Duration != "8h" || g.AutoRenew:
		l.fatal("status.granted is %+v", *g)
	case len(g.Adjustments) != 1 || g.Adjustments[0].Field != "spec.autoscaling.replicas.maximum" || g.Adjustments[0].Asked != 50 ||
		g.Adjustments[0].Granted != 4 || g.Adjustments[0].Limit != "server.autoscaling.replicas.limits.maximum":
		l.fatal("status.granted.adjustments is %+v", g.Adjustments)
	case st.Address != objectName(lease.Name)+"."+l.namespace+".svc":
		l.fatal("the address is %q", st.Address)
	case st.ExpiresAt == nil || !st.ExpiresAt.Time.Equal(want):
		l.fatal("it expires at %v, want %v", st.ExpiresAt, want)
	case st.ObservedGeneration != lease.Generation || st.Replicas != 1 || st.WantedReplicas != 1:
		l.fatal("the status has generation %d of %d, and %d of %d replicas", st.ObservedGeneration, lease.Generation, st.Replicas, st.WantedReplicas)
	}
	if len(h.Network.Resolve(st.Address)) == 0 {
		l.fatal("the address %s does not resolve", st.Address)
	}
	l.step("the status has the grant, the address %s and the expiry %v", st.Address, st.ExpiresAt)
}

// counts waits until the status has a number of replicas.
func (l *leases) counts(name string, replicas int32) {
	l.Helper()
	l.eventually(fmt.Sprintf("the status of %s has %d replicas", name, replicas), func() (bool, string) {
		lease, err := l.get(name)
		st := lease.Status
		return err == nil && st.Replicas == replicas && st.WantedReplicas == replicas, fmt.Sprintf("%d of %d, %v", st.Replicas, st.WantedReplicas, err)
	})
}

// shows checks the columns of kubectl get tl.
func (l *leases) shows(name string, columns ...string) {
	l.Helper()
	out, err := l.cluster.Kubectl(l.Context(), "", "get", "tl", name, "-n", l.namespace)
	l.must(err)
	header, row, _ := strings.Cut(strings.TrimSpace(out.Stdout), "\n")
	if got := strings.Fields(header); strings.Join(got, " ") != "NAME MODELS READY REASON REPLICAS MIN MAX GPUS EXPIRES AGE" {
		l.fatal("kubectl get tl has the columns %v", got)
	}
	got := strings.Fields(row)
	if len(got) != len(columns)+3 || strings.Join(got[1:len(columns)+1], " ") != strings.Join(columns, " ") {
		l.fatal("kubectl get tl shows %v, want %v", got, columns)
	}
	if _, err := time.Parse(time.RFC3339, got[len(columns)+1]); err != nil {
		l.fatal("kubectl get tl shows no expiry: %v", got)
	}
	l.step("kubectl get tl: %s", row)
}
