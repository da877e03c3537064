//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/triton-leases/tms/test/e2e/triton"
)

// TestAlerts checks that each alert is inactive, pending, firing, and inactive
// again. The test patches the duration (for) of the alerts to 15 s in the cluster,
// because no value sets it. promtool tests the real durations in test/conform.
func TestAlerts(t *testing.T) {
	t.Parallel()
	const lease = "tms-resnet50"
	for alert, c := range map[string]struct {
		provoke, resolve func(s *scenario, namespace string)
	}{
		"TMSLeaseMetricsMissing": {
			// Do not delete the PodMonitor instead: Prometheus writes no staleness markers
			// for a removed job, so its series stay for five minutes.
			func(s *scenario, namespace string) { s.scale(namespace, 0) },
			func(s *scenario, namespace string) { s.scale(namespace, 1) },
		},
		"TMSLeaseRequestsRejected": {
			func(s *scenario, namespace string) {
				h.Fleet.Change(namespace+"/"+lease, func(b *triton.Behavior) { b.Rate, b.QueueTimeout = 60, 200*time.Millisecond })
			},
			func(s *scenario, namespace string) { s.load(namespace+"/"+lease, 1) },
		},
		"TMSLeaseAtMaximum": {
			func(s *scenario, namespace string) { s.load(namespace+"/"+lease, 100) },
			func(s *scenario, namespace string) { s.load(namespace+"/"+lease, 1) },
		},
	} {
		t.Run(alert, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, map[string]string{
				"TMSLeaseMetricsMissing": "alert-missing", "TMSLeaseRequestsRejected": "alert-rejected", "TMSLeaseAtMaximum": "alert-maximum",
			}[alert])
			namespace := s.namespace("", nil)
			s.install(3, namespace, "tms", queueLease("resnet50", 2, 300000))
			s.shortenAlerts(namespace, lease)
			s.reads(namespace, lease, queueMetric)
			s.load(namespace+"/"+lease, 5)
			s.eventually("no alert is pending", func() (bool, string) {
				states := s.alerts(namespace)
				return len(states) == 0, fmt.Sprint(states)
			})
			s.consistently("no alert is pending", 20*time.Second, func() (bool, string) {
				states := s.alerts(namespace)
				return len(states) == 0, fmt.Sprint(states)
			})
			c.provoke(s, namespace)
			s.eventually(alert+" is pending first", func() (bool, string) {
				states := s.alerts(namespace)
				return states[alert] == "pending", fmt.Sprint(states)
			})
			s.eventually(alert+" fires", func() (bool, string) {
				states := s.alerts(namespace)
				return states[alert] == "firing", fmt.Sprint(states)
			})
			c.resolve(s, namespace)
			s.eventually(alert+" ends", func() (bool, string) {
				states := s.alerts(namespace)
				return states[alert] == "", fmt.Sprint(states)
			})
		})
	}
}

// alerts returns the state of each alert of the namespace.
func (s *scenario) alerts(namespace string) map[string]string {
	s.Helper()
	states, err := h.Prometheus.Alerts(s.Context(), "e2e_namespace", namespace)
	if err != nil {
		s.step("%v", err)
	}
	return states
}

func (s *scenario) scale(namespace string, replicas int) {
	s.Helper()
	_, err := h.Cluster.Kubectl(s.Context(), "", "scale", "deployment", "tms-resnet50", "-n", namespace, fmt.Sprintf("--replicas=%d", replicas))
	s.must(err)
	s.step("scaled to %d with kubectl", replicas)
}

// shortenAlerts sets the duration of every alert of a lease to 15 s, and adds the
// namespace as a label: the alert for missing metrics has no series, and so no label
// namespace.
func (s *scenario) shortenAlerts(namespace, name string) {
	s.Helper()
	out, err := h.Cluster.Kubectl(s.Context(), "", "get", "prometheusrule", name, "-n", namespace, "-o", "json")
	s.must(err)
	var rule map[string]any
	s.must(json.Unmarshal([]byte(out.Stdout), &rule))
	spec := rule["spec"].(map[string]any)
	for _, group := range spec["groups"].([]any) {
		for _, r := range group.(map[string]any)["rules"].([]any) {
			if r := r.(map[string]any); r["alert"] != nil {
				r["for"] = "15s"
				r["labels"].(map[string]any)["e2e_namespace"] = namespace
			}
		}
	}
	patch, err := json.Marshal(map[string]any{"spec": spec})
	s.must(err)
	_, err = h.Cluster.Kubectl(s.Context(), "", "patch", "prometheusrule", name, "-n", namespace, "--type=merge", "-p", string(patch))
	s.must(err)
}
