//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeasePrune disables autoscaling while a lease is scaled out, and enables it again.
// tms-server prunes and recreates the objects for autoscaling, and keeps the replicas.
func TestLeasePrune(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-prune")
	l := s.leases()
	const name = "resnet50"
	object := objectName(name)
	workload := l.namespace + "/" + object
	l.apply(name, scaled(3))
	l.has(name, scaledKinds)
	s.reads(l.namespace, object, queueMetric)
	s.load(workload, 300)
	s.becomes(l.namespace, object, 3)
	podsUnchanged := l.snapshotPods(name)

	lowest := s.watchLowest(l.namespace, object)
	for range 2 { // twice, because server-side apply gives up fields and takes them again
		l.patch(name, `{"autoscaling":{"enable":false}}`)
		l.is(name, "Autoscaling", metav1.ConditionFalse, "NotAsked")
		l.has(name, plainKinds)
		for _, kind := range []string{"HorizontalPodAutoscaler", "PodMonitor", "PrometheusRule"} {
			l.hasEvent(name, "Pruned", kind+" "+object)
		}
		s.stays(l.namespace, object, 3, 15*time.Second)
		l.quiet(5 * time.Second)
		l.patch(name, `{"autoscaling":{"enable":true}}`)
		l.has(name, scaledKinds)
		s.reads(l.namespace, object, queueMetric)
		l.is(name, "Autoscaling", metav1.ConditionTrue, "Scaling")
	}
	s.stays(l.namespace, object, 3, 5*time.Second)
	if n := lowest(); n < 3 {
		s.fatal("the Deployment had %d wanted replicas in between", n)
	}
	podsUnchanged()
}

// TestLeaseReplicas checks which component sets the replicas of a lease: its
// HorizontalPodAutoscaler, or else the lease, or else kubectl scale.
func TestLeaseReplicas(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-replicas")
	l := s.leases()
	const name = "resnet50"
	object := objectName(name)
	scale := func(replicas int) {
		s.Helper()
		_, err := h.Cluster.Kubectl(s.Context(), "", "scale", "deployment", object, "-n", l.namespace, fmt.Sprintf("--replicas=%d", replicas))
		s.must(err)
		s.step("kubectl scale --replicas=%d", replicas)
	}
	l.apply(name, "{"+vision+"}")
	s.becomes(l.namespace, object, 1) // the administrator's default
	scale(3)
	s.becomes(l.namespace, object, 3)
	l.counts(name, 3)
	l.patch(name, `{"triton":{"env":[{"name":"A","value":"b"}]}}`) // another field of the Deployment
	l.is(name, "Granted", metav1.ConditionTrue, "Granted")
	s.stays(l.namespace, object, 3, 5*time.Second)

	l.patch(name, `{"triton":{"replicas":2}}`)
	s.becomes(l.namespace, object, 2)
	scale(3)
	s.becomes(l.namespace, object, 2)
	l.hasEvent(name, "Corrected", "Deployment "+object)

	l.patch(name, `{"triton":{"replicas":0}}`)
	s.becomes(l.namespace, object, 0)
	l.is(name, "Ready", metav1.ConditionFalse, "ScaledToZero")
	l.patch(name, `{"triton":{"replicas":null},"autoscaling":{"enable":true}}`)
	s.becomes(l.namespace, object, 1)
	l.has(name, scaledKinds)
	l.serves(name)

	l.patch(name, `{"triton":{"podDisruptionBudget":{}},"autoscaling":{"enable":false}}`)
	l.has(name, "Deployment Service Service")
	s.stays(l.namespace, object, 1, 5*time.Second)
}
