//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseSchema checks that the API server refuses leases that are invalid regardless of
// the administrator's bounds, with messages that name the key.
func TestLeaseSchema(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-schema")
	l := s.leases()
	const target = "target: {name: other, selector: {app: other}}"
	for what, c := range map[string]struct{ name, spec, message string }{
		"models and target":    {"a", "{" + vision + ", " + target + "}", "must have either models or target"},
		"neither":              {"a", "{duration: 8h}", "must have either models or target"},
		"no spec":              {"a", "null", "spec: Required value"},
		"triton beside target": {"a", "{" + target + ", triton: {replicas: 2}}", "triton must be absent if target is set: the lease does not deploy that Triton"},
		"image beside target":  {"a", "{" + target + ", image: \"other:1\"}", "image must be absent if target is set: the lease does not deploy that Triton"},
		"a name with a dot":    {"a.b", "{" + vision + "}", "metadata.name must be a DNS label"},
		"a name that is long":  {strings.Repeat("a", 64), "{" + vision + "}", "metadata.name must be a DNS label"},
		"an unknown field":     {"a", "{" + vision + ", autoscaling: {enabled: true}}", `unknown field "spec.autoscaling.enabled"`},
		"no models":            {"a", "{models: []}", "spec.models"},
		"a model without uri":  {"a", "{models: [{name: a}]}", "spec.models[0].uri: Required value"},
		"an URI of no kind":    {"a", `{models: [{name: a, uri: "ftp://a"}]}`, "spec.models[0].uri"},
		"a duration in days":   {"a", "{" + vision + ", duration: 8d}", "spec.duration"},
		"an empty duration":    {"a", "{" + vision + `, duration: ""}`, "spec.duration"},
		"a negative number":    {"a", "{" + vision + ", autoscaling: {enable: true, replicas: {maximum: -1}}}", "spec.autoscaling.replicas.maximum"},
		"a number in words":    {"a", "{" + vision + ", autoscaling: {enable: true, replicas: {maximum: many}}}", "spec.autoscaling.replicas.maximum"},
		"no such time":         {"a", "{" + vision + ", renewTime: tomorrow}", "spec.renewTime"},
		"two ways to disrupt":  {"a", "{" + vision + ", triton: {podDisruptionBudget: {minAvailable: 1, maxUnavailable: 1}}}", "must have minAvailable or maxUnavailable, not both"},
		"a variable with two values": {
			"a", "{" + vision + ", triton: {env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}}", "must have value or valueFrom, not both",
		},
	} {
		err := l.try(c.name, c.spec)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			s.step("FAILED: %s: %v", what, err)
			s.Errorf("%s: the error of the API server does not contain %q: %v", what, c.message, err)
			continue
		}
		s.step("%s: %s", what, c.message)
	}
	var list struct{ Items []tritonLease }
	s.must(l.read(s.Context(), "/apis/tms.triton-leases.dev/v1alpha1/namespaces/"+l.namespace+"/tritonleases", &list))
	if len(list.Items) > 0 {
		s.fatal("%d leases were created", len(list.Items))
	}
	l.checkKind()
}

// checkKind checks that kubectl explain describes the kind, and that users cannot write
// the status together with the spec.
func (l *leases) checkKind() {
	l.Helper()
	out, err := l.cluster.Kubectl(l.Context(), "", "explain", "tritonlease.spec.duration")
	l.must(err)
	if !strings.Contains(out.Stdout, "How long the lease lasts") {
		l.fatal("kubectl explain prints:\n%s", out.Stdout)
	}
	_, err = l.cluster.Kubectl(l.Context(), `{apiVersion: tms.triton-leases.dev/v1alpha1, kind: TritonLease,
  metadata: {name: a, namespace: `+l.namespace+`}, spec: {`+vision+`}, status: {models: invented, expiresAt: "2099-01-01T00:00:00Z"}}`, "apply", "-f", "-")
	l.must(err)
	lease := l.is("a", "Granted", metav1.ConditionTrue, "Granted")
	if lease.Status.Models != "resnet50" || lease.Status.ExpiresAt.After(time.Now().Add(25*time.Hour)) {
		l.fatal("a user wrote the status: %+v", lease.Status)
	}
	l.step("kubectl explain describes the kind, and a status that a user writes is ignored")
}
