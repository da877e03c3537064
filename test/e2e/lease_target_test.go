//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseTarget checks that a target lease scales a Deployment that it does not own, and
// creates only the objects for autoscaling. If two leases have the same target, the younger
// one is refused until the older one is deleted.
func TestLeaseTarget(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-target")
	l := s.leases()
	const target, autoscales = "triton-legacy", "HorizontalPodAutoscaler PodMonitor PrometheusRule"
	triton := strings.ReplaceAll(foreignTriton, "NAMESPACE", l.namespace)
	s.must(h.Cluster.Apply(s.Context(), strings.Replace(triton, `, labels: {tms.triton-leases.dev/target: "true"}`, "", 1)))
	const spec = `{target: {name: triton-legacy, selector: {app: triton}, metricsPort: metrics, container: triton}, autoscaling: {enable: true, replicas: {maximum: 3}}}`
	s.step("a lease may not scale a workload without the label of targets")
	l.apply("older", spec)
	l.is("older", "Granted", metav1.ConditionFalse, "Refused", `spec.target.name`, `kubectl label deployment/triton-legacy tms.triton-leases.dev/target=true -n `+l.namespace)
	l.has("older", "")
	s.must(h.Cluster.Apply(s.Context(), triton))
	l.is("older", "Granted", metav1.ConditionTrue, "Granted")
	l.has("older", autoscales)
	l.is("older", "Ready", metav1.ConditionUnknown, "Target")
	s.reads(l.namespace, objectName("older"), queueMetric)
	l.is("older", "Autoscaling", metav1.ConditionTrue, "Scaling")
	s.diagnoses(nil, "older", "-n", l.namespace)
	if lease := l.mustGet("older"); lease.Status.Address != "" {
		s.fatal("a target lease has the address %q", lease.Status.Address)
	}

	s.pause(time.Second) // creation timestamps are in whole seconds
	l.apply("younger", spec)
	l.is("younger", "Granted", metav1.ConditionFalse, "Refused", `spec.target.name: Duplicate value: "triton-legacy"`, "older")
	l.has("younger", "")

	s.load(l.namespace+"/"+target, 300)
	s.becomes(l.namespace, target, 3)
	l.counts("older", 3)
	l.has("older", autoscales)

	s.step("the older lease is deleted: the younger one is granted, and the Deployment stays")
	l.delete("older")
	l.is("younger", "Granted", metav1.ConditionTrue, "Granted")
	l.has("younger", autoscales)
	s.reads(l.namespace, objectName("younger"), queueMetric)
	s.load(l.namespace+"/"+target, 1)
	s.becomes(l.namespace, target, 1)
	s.step("the lease changes from a target to models, and back")
	l.patch("younger", `{"target":null,"models":[{"name":"resnet50","uri":"s3://models/vision"}]}`)
	l.serves("younger")
	l.has("younger", scaledKinds)
	s.step("another lease may not target the Triton of a lease, also with the label of targets")
	_, err := h.Cluster.Kubectl(s.Context(), "", "label", "deployment", objectName("younger"), "tms.triton-leases.dev/target=true", "-n", l.namespace)
	s.must(err)
	l.apply("parasite", `{target: {name: tms-younger, selector: {tms.triton-leases.dev/lease: younger}}, autoscaling: {enable: true}}`)
	l.is("parasite", "Granted", metav1.ConditionFalse, "Refused", "spec.target.name", "belongs to TritonLease younger")
	l.has("parasite", "")
	l.delete("parasite")
	l.patch("younger", `{"models":null,"target":{"name":"triton-legacy","selector":{"app":"triton"}}}`)
	l.is("younger", "Ready", metav1.ConditionUnknown, "Target")
	l.has("younger", autoscales)
	s.step("the owner of the workload takes the label away, and gives it again")
	_, err = h.Cluster.Kubectl(s.Context(), "", "label", "deployment", target, "tms.triton-leases.dev/target-", "-n", l.namespace)
	s.must(err)
	l.patch("younger", `{"duration":"1h"}`)
	l.is("younger", "Granted", metav1.ConditionFalse, "Refused", "spec.target.name: Forbidden: Deployment triton-legacy must have the label tms.triton-leases.dev/target")
	_, err = h.Cluster.Kubectl(s.Context(), "", "label", "deployment", target, "tms.triton-leases.dev/target=true", "-n", l.namespace)
	s.must(err)
	l.is("younger", "Granted", metav1.ConditionTrue, "Granted")
	l.delete("younger")
	l.gone("younger")
	if _, err := h.Cluster.Client.AppsV1().Deployments(l.namespace).Get(s.Context(), target, metav1.GetOptions{}); err != nil {
		s.fatal("the target Deployment: %v", err)
	}
}
