//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// renewing is a lease with a duration of half a minute that renews itself.
const renewing = `{` + vision + `, duration: 30s, autoRenew: true}`

// renewingKinds are the kinds of the objects of a lease that renews itself and does not
// scale.
const renewingKinds = "Deployment PodDisruptionBudget PodMonitor PrometheusRule Service Service"

// TestLeaseBusy checks that a lease that serves requests is renewed repeatedly.
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
				s.fatal("it expired: %v", err)
			}
			st := lease.Status
			if c := lease.condition("AutoRenew"); c.Reason == "Idle" {
				s.fatal("it serves requests, and its condition is Idle: %s", c.Message)
			}
			so := st.RenewedAt != nil && st.ExpiresAt.Sub(lease.CreationTimestamp.Time) > lived
			return so, fmt.Sprintf("renewed at %v, expires at %v: %v", st.RenewedAt, st.ExpiresAt, lease.condition("AutoRenew"))
		})
		l.hasEvent(name, "Renewed", "requests")
	}
	s.step("the requests stop")
	s.load(l.namespace+"/"+objectName(name), 0)
	l.is(name, "AutoRenew", metav1.ConditionFalse, "Idle")
	s.step("they start again before the lease expires")
	s.load(l.namespace+"/"+objectName(name), 5)
	idle := l.mustGet(name)
	s.eventually("it is renewed again", func() (bool, string) {
		lease, err := l.get(name)
		if err != nil {
			s.fatal("it expired: %v", err)
		}
		return lease.Status.ExpiresAt.After(idle.Status.ExpiresAt.Time), fmt.Sprint(lease.Status.ExpiresAt)
	})
	if l.mustGet(name).UID != first.UID {
		s.fatal("the lease was replaced")
	}
}

// TestLeaseIdle checks that a lease without requests reports that before it expires.
func TestLeaseIdle(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-idle")
	l := s.leases()
	const name = "resnet50"
	l.apply(name, renewing)
	l.has(name, renewingKinds)
	lease := l.is(name, "AutoRenew", metav1.ConditionFalse, "Idle", "unless it serves requests")
	if !time.Now().Before(lease.Status.ExpiresAt.Time) {
		s.fatal("the condition was set after the expiry at %v", lease.Status.ExpiresAt)
	}
	l.hasEvent(name, "Idle", "unless it serves requests")
	l.gone(name)
	l.hasEvent(name, "Expired")
}

// TestLeaseUnmeasured checks that a lease without metrics reports that before it expires.
func TestLeaseUnmeasured(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-unmeasured")
	l := s.leases()
	const name = "resnet50"
	s.load(l.namespace+"/"+objectName(name), 5)
	_, err := h.Cluster.Kubectl(s.Context(), "", "label", "namespace", l.namespace, "monitoring=off")
	s.must(err)
	s.step("Prometheus does not select the namespace")
	l.apply(name, renewing)
	lease := l.is(name, "AutoRenew", metav1.ConditionUnknown, "NoMetrics", "unless its requests can be counted", "tms_request_rate")
	if !time.Now().Before(lease.Status.ExpiresAt.Time) {
		s.fatal("the condition was set after the expiry at %v", lease.Status.ExpiresAt)
	}
	l.hasEvent(name, "NoMetrics", "tms_request_rate")
	l.gone(name)
	l.hasEvent(name, "Expired")
}
