//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseAdmission enables the ValidatingAdmissionPolicies. The API server refuses what
// tms-server would refuse or revert. Leases from before, tms-server and the autoscaler are
// not hindered.
func TestLeaseAdmission(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-admission")
	a := s.ownAPI(3, "server: {leases: {allowedFields: [podAnnotations, replicas, resources]}}")
	tenant := a.tenant("mallory")
	a.apply("before", "{"+vision+", triton: {podAnnotations: {a: b}}}")
	a.serves("before")
	podsUnchanged := a.snapshotPods("before")
	a.configure("server: {admissionPolicy: {enabled: true}, leases: {allowedFields: [replicas, resources], allowedSecrets: [known], limits: {replicas: 3, gpus: 2}}}")
	const annotations = "spec.triton.podAnnotations: " + notAllowed
	refuses := func(what string, err error, messages ...string) {
		s.Helper()
		for _, message := range append([]string{"ValidatingAdmissionPolicy", "denied request"}, messages...) {
			if err == nil || !strings.Contains(err.Error(), message) {
				s.fatal("%s: the error does not contain %q: %v", what, message, err)
			}
		}
		s.step("%s: %v", what, err)
	}
	s.eventually("the API server knows the policies", func() (bool, string) {
		err := a.tryAs(tenant, "new", "{"+vision+", triton: {podAnnotations: {a: b}}}", "--dry-run=server")
		return err != nil && strings.Contains(err.Error(), annotations), fmt.Sprint(err)
	})
	for _, suffix := range []string{"tritonleases", "autoscalers", "deployments", "scale"} {
		name := "tms-" + suffix + "." + a.namespace
		s.eventually("the expressions of "+name+" are type-checked", func() (bool, string) {
			p, err := h.Cluster.Client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(s.Context(), name, metav1.GetOptions{})
			if err != nil || p.Status.TypeChecking == nil {
				return false, fmt.Sprint(err)
			}
			if len(p.Status.TypeChecking.ExpressionWarnings) > 0 {
				s.fatal("%s: %+v", name, p.Status.TypeChecking.ExpressionWarnings)
			}
			return true, "no warnings"
		})
	}

	s.step("leases")
	refuses("a field and a part of podTemplate", a.tryAs(tenant, "new", "{"+vision+", triton: {podAnnotations: {a: b}, podTemplate: {spec: {hostNetwork: true}}}}"),
		annotations, "spec.triton.podTemplate.spec.hostNetwork: "+notAllowed)
	refuses("a key of the Service", a.tryAs(tenant, "new", "{"+vision+", service: {type: NodePort}}"), "spec.service.type: "+notAllowed)
	refuses("a volume", a.tryAs(tenant, "new", "{"+vision+", triton: {volumes: [{name: a, hostPath: {path: /}}]}}"), "spec.triton.volumes: "+notAllowed)
	refuses("a target", a.tryAs(tenant, "new", "{target: {name: web, selector: {app: web}}}"), "spec.target: Forbidden: you may set a target only if")
	s.must(a.tryAs(tenant, "plain", "{"+vision+", triton: {replicas: 2}}"))
	s.becomes(a.namespace, objectName("plain"), 2)

	s.step("a lease from before")
	a.is("before", "Granted", metav1.ConditionFalse, "Refused", annotations)
	for _, args := range [][]string{
		{"label", "tl", "before", "a=b"},
		{"patch", "tl", "before", "--type=merge", "-p", `{"spec":{"renewTime":"2026-01-01T00:00:00Z"}}`},
		{"patch", "tl", "before", "--type=merge", "-p", `{"metadata":{"finalizers":["example.com/a"]}}`},
		{"patch", "tl", "before", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`},
	} {
		_, err := h.Cluster.Kubectl(s.Context(), "", append(args, "-n", a.namespace, "--as", tenant)...)
		s.must(err)
	}
	kubectl := func(args ...string) error {
		_, err := h.Cluster.Kubectl(s.Context(), "", append(args, "-n", a.namespace)...)
		return err
	}
	refuses("another annotation", kubectl("patch", "tl", "before", "--type=merge", "-p", `{"spec":{"triton":{"podAnnotations":{"a":"c"}}}}`), annotations)
	podsUnchanged()

	s.step("the objects of leases")
	a.apply("resnet50", scaled(4))
	a.serves("resnet50")
	object, plain := objectName("resnet50"), objectName("plain")
	refuses("a higher maximum", kubectl("patch", "hpa", object, "--type=merge", "-p", `{"spec":{"maxReplicas":5}}`),
		"spec.maxReplicas: Forbidden: must not exceed server.autoscaling.replicas.limits.maximum (4)")
	refuses("a lower minimum", kubectl("patch", "hpa", object, "--type=merge", "-p", `{"spec":{"minReplicas":3}}`),
		"spec.minReplicas: Forbidden: must not exceed server.autoscaling.replicas.limits.minimum.upperBound (2)")
	s.must(kubectl("annotate", "hpa", object, "a=b"))
	for _, deployment := range []string{object, plain} {
		refuses("kubectl scale", kubectl("scale", "deployment", deployment, "--replicas=5"), "spec.replicas: Forbidden: must not exceed 4")
	}
	refuses("kubectl patch of the replicas", kubectl("patch", "deployment", plain, "--type=merge", "-p", `{"spec":{"replicas":5}}`), "spec.replicas: Forbidden: must not exceed 4")
	refuses("more GPUs", kubectl("set", "resources", "deployment", plain, "-c", "triton", "--limits=nvidia.com/gpu=3"), "must not have more GPUs than server.leases.limits.gpus (2)")
	s.must(kubectl("scale", "deployment", plain, "--replicas=3"))
	s.becomes(a.namespace, plain, 2) // tms-server reverts it

	s.step("the autoscaler scales within its bounds, and the API acquires")
	s.load(a.namespace+"/"+object, 300)
	s.becomes(a.namespace, object, 4)
	s.load(a.namespace+"/"+object, 1)
	alice := a.user("alice", allVerbs...)
	a.waitAuthorized(alice, "List", fields{"namespace": a.namespace})
	lease, err := alice.acquire(s.Context(), a.acquireRequest(fields{"name": "acquired", "request_id": "one"}), nil)
	s.must(err)
	if lease.State != "STATE_SERVING" || a.mustGet("acquired").Spec.AcquireBy != nil {
		s.fatal("the acquired lease is %+v", lease)
	}
	a.quiet(5 * time.Second)
}
