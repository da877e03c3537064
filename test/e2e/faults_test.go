//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestFaults kills the components of the control loop, under load. It does not run
// in parallel, because the faults affect every lease of the cluster.
func TestFaults(t *testing.T) {
	s := newScenario(t, "faults")
	namespace := s.namespace("", nil)
	// By default the stabilization window of five minutes is twenty scrapes. This keeps
	// the replicas during a fault, so the test uses the same ratio.
	s.install(3, namespace, "tms", queueLease("resnet50", 4, 100000),
		"server: {autoscaling: {behavior: {scaleDown: {stabilizationWindowSeconds: 40}}}}")
	const name = "tms-resnet50"
	s.record("Faults under load", namespace, name, queueMetric, 100000)
	s.reads(namespace, name, queueMetric)
	s.load(namespace+"/"+name, 300)
	s.becomes(namespace, name, 4)

	pod := func(in, selector string) string {
		pods, err := h.Cluster.Client.CoreV1().Pods(in).List(s.Context(), metav1.ListOptions{LabelSelector: selector, FieldSelector: "status.phase=Running"})
		s.must(err)
		if len(pods.Items) == 0 {
			s.fatal("no pod in %s with %s", in, selector)
		}
		return pods.Items[0].Name
	}
	for _, fault := range []struct {
		what string
		do   func() error
	}{
		{"Prometheus", func() error {
			return h.Node.CrashContainer("monitoring", pod("monitoring", "app.kubernetes.io/name=prometheus"), "prometheus")
		}},
		{"prometheus-adapter", func() error {
			return h.Node.CrashContainer("monitoring", pod("monitoring", "app=prometheus-adapter"), "prometheus-adapter")
		}},
		{"the API server", func() error { return h.Cluster.Crash("kube-apiserver") }},
		{"the controller manager", func() error { return h.Cluster.Crash("kube-controller-manager") }},
		{"the container of a Triton", func() error {
			return h.Node.CrashContainer(namespace, pod(namespace, "tms.triton-leases.dev/lease=resnet50"), "triton")
		}},
		{"the pod of a Triton", func() error {
			return h.Cluster.Client.CoreV1().Pods(namespace).Delete(s.Context(), pod(namespace, "tms.triton-leases.dev/lease=resnet50"), metav1.DeleteOptions{})
		}},
	} {
		lowest := s.watchLowest(namespace, name)
		s.step("kill %s", fault.what)
		s.must(fault.do())
		s.pause(10 * time.Second)
		// A value that differs from this one was read after the fault.
		before, _ := hpa(s.Context(), namespace, name)
		old, _ := value(before, queueMetric)
		s.eventually("the HPA scales again after the kill of "+fault.what, func() (bool, string) {
			_, ready, err := size(s.Context(), namespace, name)
			a, summary := hpa(s.Context(), namespace, name)
			queue, known := value(a, queueMetric)
			return err == nil && ready == 4 && known && active(a) && queue > 100000 && queue != old, fmt.Sprintf("%d ready, %s", ready, summary)
		})
		s.pause(10 * time.Second)
		if n := lowest(); n < 4 {
			s.fatal("the kill of %s reduced the replicas from 4 to %d", fault.what, n)
		}
	}
	s.load(namespace+"/"+name, 1)
	s.becomes(namespace, name, 1)
}
