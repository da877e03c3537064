//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// renewing is a lease that lives for half a minute, and is renewed while it serves.
const renewing = `{` + vision + `, duration: 30s, autoRenew: true}`

// renewal is what a lease consists of that renews itself, and does not scale.
const renewingKinds = "Deployment PodDisruptionBudget PodMonitor PrometheusRule Service"

// TestLeaseBusy: a lease that serves requests is renewed, again and again.
func TestLeaseBusy(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-busy")
	l := s.leases()
	const name = "resnet50"
	s.load(l.namespace+"/"+objectName(name), 5)
	l.apply(name, renewing)
	l.has(name, renewingKinds)
	first := l.serves(name)
	for _, lived := range []time.Duration{40 * time.Second, 70 * time.Second} {
		s.eventually(fmt.Sprintf("it is renewed beyond %s", lived), func() (bool, string) {
			lease, err := l.get(name)
			if err != nil {
				s.fatal("it ended: %v", err)
			}
			st := lease.Status
			if c := lease.condition("AutoRenew"); c.Reason == "Idle" {
				s.fatal("it serves requests, and is said to be idle: %s", c.Message)
			}
			so := st.RenewedAt != nil && st.ExpiresAt.Sub(lease.CreationTimestamp.Time) > lived
			return so, fmt.Sprintf("renewed at %v, ends at %v: %v", st.RenewedAt, st.ExpiresAt, lease.condition("AutoRenew"))
		})
		l.hasEvent(name, "Renewed", "requests")
	}
	s.step("the requests stop")
	s.load(l.namespace+"/"+objectName(name), 0)
	l.is(name, "AutoRenew", metav1.ConditionFalse, "Idle")
	s.step("and come back before the end")
	s.load(l.namespace+"/"+objectName(name), 5)
	told := l.mustGet(name)
	s.eventually("it is renewed again", func() (bool, string) {
		lease, err := l.get(name)
		if err != nil {
			s.fatal("it ended: %v", err)
		}
		return lease.Status.ExpiresAt.After(told.Status.ExpiresAt.Time), fmt.Sprint(lease.Status.ExpiresAt)
	})
	if l.mustGet(name).UID != first.UID {
		s.fatal("it is another lease")
	}
}

// TestLeaseIdle: a lease that nobody uses is told before it ends.
func TestLeaseIdle(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-idle")
	l := s.leases()
	const name = "resnet50"
	l.apply(name, renewing)
	l.has(name, renewingKinds)
	lease := l.is(name, "AutoRenew", metav1.ConditionFalse, "Idle", "unless it serves requests")
	if !time.Now().Before(lease.Status.ExpiresAt.Time) {
		s.fatal("the lease was reported idle after its end, %v", lease.Status.ExpiresAt)
	}
	l.hasEvent(name, "Idle", "unless it serves requests")
	l.gone(name)
	l.hasEvent(name, "Expired")
}

// TestLeaseUnmeasured: a lease whose requests nobody counts is told so before it ends.
func TestLeaseUnmeasured(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-unmeasured")
	l := s.leases()
	const name = "resnet50"
	s.load(l.namespace+"/"+objectName(name), 5)
	_, err := h.Cluster.Kubectl(s.Context(), "", "label", "namespace", l.namespace, "monitoring=off")
	s.must(err)
	s.step("Prometheus does not look at the namespace")
	l.apply(name, renewing)
	lease := l.is(name, "AutoRenew", metav1.ConditionUnknown, "NoMetrics", "unless its requests can be counted", "tms_request_rate")
	if !time.Now().Before(lease.Status.ExpiresAt.Time) {
		s.fatal("it was told after its end, %v", lease.Status.ExpiresAt)
	}
	l.hasEvent(name, "NoMetrics", "tms_request_rate")
	l.gone(name)
	l.hasEvent(name, "Expired")
}
