//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLeaseServers checks the security settings of the server pods, that only one of them
// can be evicted at a time, and that another one becomes the leader.
func TestLeaseServers(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-servers")
	l := s.ownLeases(4) // in a namespace that enforces the restricted Pod Security Standard
	pods, err := l.serverPods(s.Context())
	s.must(err)
	if len(pods) != 2 {
		s.fatal("there are %d servers", len(pods))
	}
	for name, pod := range pods {
		c := pod.Spec.Containers[0]
		if !*c.SecurityContext.ReadOnlyRootFilesystem || *pod.Spec.SecurityContext.RunAsUser == 0 || c.Resources.Limits.Memory().IsZero() {
			s.fatal("%s runs as %+v with %+v", name, pod.Spec.SecurityContext, c)
		}
	}
	policies, err := h.Cluster.Client.NetworkingV1().NetworkPolicies(l.namespace).List(s.Context(), metav1.ListOptions{})
	s.must(err)
	if len(policies.Items) != 1 || len(policies.Items[0].Spec.Ingress) != 1 || len(policies.Items[0].Spec.Ingress[0].Ports) != 1 ||
		policies.Items[0].Spec.Ingress[0].Ports[0].Port.String() != "metrics" {
		s.fatal("the network policies are %+v", policies.Items)
	}
	l.apply("before", "{"+vision+"}")
	l.serves("before")
	s.step("a lease with the name of the server is refused")
	l.apply("server", scaled(2))
	l.is("server", "Granted", metav1.ConditionFalse, "Refused", "the name of the lease's objects must not be that of tms-server")
	l.delete("server")

	evict := func(name string) error {
		return h.Cluster.Client.PolicyV1().Evictions(l.namespace).Evict(s.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: l.namespace}})
	}
	s.eventually("the PodDisruptionBudget allows one disruption", func() (bool, string) {
		b, err := h.Cluster.Client.PolicyV1().PodDisruptionBudgets(l.namespace).Get(s.Context(), "tms-server", metav1.GetOptions{})
		return err == nil && b.Status.DisruptionsAllowed == 1, fmt.Sprint(b.Status, err)
	})
	leader := l.waitLeader("")
	s.must(evict(leader.pod()))
	s.step("evicted the leader %s", leader)
	for name := range pods {
		if name == leader.pod() {
			continue
		}
		if err := evict(name); !apierrors.IsTooManyRequests(err) {
			s.fatal("the last server can be evicted: %v", err)
		}
		s.step("the other server cannot be evicted")
	}
	l.waitLeader(leader)
	l.apply("after", "{"+vision+"}")
	l.serves("after")
	s.becomes(l.namespace, "tms-server", 2)
	s.eventually("Prometheus scrapes both servers", func() (bool, string) {
		samples, err := h.Prometheus.Query(s.Context(), fmt.Sprintf(`tms_leases{namespace=%q,condition="Ready",status="True",reason="Serving"} == 2`, l.namespace))
		return err == nil && len(samples) == 2, fmt.Sprint(samples, err)
	})
	l.quiet(5 * time.Second)
}
