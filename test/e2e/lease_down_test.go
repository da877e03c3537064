//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseDown checks leases while no server runs: existing leases keep running and
// scaling, deleted leases are garbage-collected, and new ones wait.
func TestLeaseDown(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-down")
	l := s.ownLeases(3)
	for _, name := range []string{"stays", "goes", "changes"} {
		l.apply(name, scaled(3))
	}
	for _, name := range []string{"stays", "goes", "changes"} {
		l.serves(name)
		l.has(name, scaledKinds)
	}
	podsUnchanged := l.snapshotPods("stays", "changes")
	scale := func(replicas int) {
		s.Helper()
		_, err := h.Cluster.Kubectl(s.Context(), "", "scale", "deployment", "tms-server", "-n", l.namespace, fmt.Sprintf("--replicas=%d", replicas))
		s.must(err)
		s.eventually(fmt.Sprintf("there are %d servers", replicas), func() (bool, string) {
			list, err := h.Cluster.Client.CoreV1().Pods(l.namespace).List(s.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=server"})
			return err == nil && len(list.Items) == replicas, fmt.Sprint(len(list.Items), err)
		})
	}
	scale(0)
	s.reads(l.namespace, objectName("stays"), queueMetric)
	s.load(l.namespace+"/"+objectName("stays"), 300)
	s.becomes(l.namespace, objectName("stays"), 3)
	s.load(l.namespace+"/"+objectName("stays"), 1)
	l.delete("goes")
	l.gone("goes")
	l.apply("comes", scaled(2))
	l.patch("changes", `{"autoscaling":{"replicas":{"maximum":2}}}`)
	_, err := h.Cluster.Kubectl(s.Context(), "", "delete", "service", objectName("changes"), "-n", l.namespace)
	s.must(err)

	scale(2)
	l.serves("comes")
	l.has("comes", scaledKinds)
	l.has("changes", scaledKinds)
	l.maximum("changes", 2)
	l.is("changes", "Granted", metav1.ConditionTrue, "Granted")
	l.has("stays", scaledKinds)
	podsUnchanged()
	orphans, err := l.orphans(s.Context())
	if err != nil || orphans != "" {
		s.fatal("there are objects without a lease: %s (%v)", orphans, err)
	}
}
