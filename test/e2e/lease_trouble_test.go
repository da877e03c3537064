//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseTrouble checks leases that tms-server grants and Kubernetes refuses: a condition
// and an event have the error of Kubernetes, the server does not retry in a loop, and the
// lease becomes ready when it is corrected.
func TestLeaseTrouble(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-trouble")
	// Otherwise tms-server refuses what the namespace refuses.
	l := s.ownLeases(3, formerFields, "server: {leases: {podSecurityStandard: privileged}}")
	for name, c := range map[string]struct{ triton, message string }{
		"capable": {`{securityContext: {capabilities: {add: [SYS_ADMIN]}}}`, `violates PodSecurity "restricted:latest"`},
	} {
		l.apply(name, `{`+vision+`, triton: `+c.triton+`}`)
		l.is(name, "Granted", metav1.ConditionTrue, "Granted")
		l.is(name, "Ready", metav1.ConditionFalse, "Failed", c.message)
		l.hasEvent(name, "Failed", c.message)
	}
	for name, c := range map[string]struct{ spec, message string }{
		"unmounted":             {`{` + vision + `, triton: {volumeMounts: [{name: absent, mountPath: /data}]}}`, `volumeMounts[0].name`},
		"mistyped":              {`{` + vision + `, triton: {affinity: {nodeAffinity: 5}}}`, "affinity.nodeAffinity"},
		"misspelt":              {`{` + vision + `, triton: {affinity: {nodeAffinty: {}}}}`, "nodeAffinty"},
		strings.Repeat("a", 63): {`{` + vision + `}`, "63"},
	} {
		l.apply(name, c.spec)
		l.is(name, "Granted", metav1.ConditionFalse, "Refused", c.message)
		l.is(name, "Ready", metav1.ConditionFalse, "Refused")
		l.has(name, "")
	}
	before := l.cluster.Now()
	s.pause(20 * time.Second)
	if calls := l.calls(before); len(calls) > 40 {
		s.fatal("the server sent %d requests in twenty seconds, the last one %v", len(calls), calls[len(calls)-1])
	}

	l.patch("unmounted", `{"triton":{"volumeMounts":null}}`)
	l.serves("unmounted")
	l.patch("capable", `{"triton":{"securityContext":null}}`)
	l.serves("capable")
	s.step("a killed Triton restarts, and the lease is not ready meanwhile")
	pods, err := l.pods("unmounted")
	s.must(err)
	s.must(h.Node.CrashContainer(l.namespace, pods[0].Name, "triton"))
	l.is("unmounted", "Ready", metav1.ConditionFalse, "Starting", "0 of 1 replicas serve")
	l.serves("unmounted")
}
