//go:build e2e

package e2e

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseRefused checks that a refused lease has a condition with the message of the
// policy. tms-server creates no objects, does not restart, and does not retry in a loop.
func TestLeaseRefused(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-refused")
	l := s.leases()
	before, err := l.serverPods(s.Context())
	s.must(err)
	const name = "greedy"
	l.apply(name, `{`+vision+`, autoscaling: {enable: true, replicas: {minimum: 5, maximum: 2}, metrics: {gpuUtilization: {enabled: true}}}}`)
	minimum := "spec.autoscaling.replicas.minimum: Invalid value: 5: must not exceed maximum (2)"
	gpu := "spec.autoscaling.metrics.gpuUtilization.enabled: Forbidden: a lease may not turn this metric on (server.autoscaling.metrics.gpuUtilization.allowed is false)"
	l.is(name, "Granted", metav1.ConditionFalse, "Refused", minimum, gpu)
	l.is(name, "Ready", metav1.ConditionFalse, "Refused")
	l.hasEvent(name, "Refused", minimum)
	l.quiet(15 * time.Second)
	l.has(name, "")
	if lease := l.mustGet(name); lease.Status.Granted != nil || lease.Status.ExpiresAt != nil || lease.Status.Address != "" {
		s.fatal("a refused lease has %+v", lease.Status)
	}

	s.step("the lease is changed, and granted")
	l.patch(name, `{"autoscaling":{"replicas":{"minimum":1},"metrics":null}}`)
	l.is(name, "Granted", metav1.ConditionTrue, "Granted")
	l.has(name, scaledKinds)
	l.serves(name)
	podsUnchanged := l.snapshotPods(name)

	s.step("a running lease is changed, and refused: it keeps its objects, and stays ready")
	l.patch(name, `{"autoscaling":{"replicas":{"minimum":5}}}`)
	l.is(name, "Granted", metav1.ConditionFalse, "Refused", minimum)
	l.is(name, "Ready", metav1.ConditionTrue, "Serving")
	l.quiet(10 * time.Second)
	l.has(name, scaledKinds)
	podsUnchanged()

	after, err := l.serverPods(s.Context())
	s.must(err)
	for pod := range before {
		if now, ok := after[pod]; !ok || now.Status.ContainerStatuses[0].RestartCount > 0 {
			s.fatal("the server %s was replaced, or restarted", pod)
		}
	}
	l.delete(name)
	l.gone(name)
}
