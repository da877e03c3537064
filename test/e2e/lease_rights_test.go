//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestLeaseRights: a server of some namespaces does nothing elsewhere, and could
// not; and where it acts it may do what it needs, and nothing else.
func TestLeaseRights(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-rights")
	l := s.ownLeases(4)
	elsewhere := &leases{scenario: s, server: l.server, namespace: s.namespace("-elsewhere", nil)}
	elsewhere.apply("resnet50", scaled(3))
	l.apply("resnet50", scaled(3))
	l.serves("resnet50")

	may := func(namespace, verb, resource string) bool {
		s.Helper()
		resource, subresource, _ := strings.Cut(resource, "/")
		out, err := h.Cluster.Kubectl(s.Context(), "", "auth", "can-i", verb, resource, "--subresource="+subresource, "-n", namespace, "--as", "system:serviceaccount:"+l.account)
		answer := strings.TrimSpace(out.Stdout)
		if answer != "yes" && answer != "no" {
			s.fatal("kubectl auth can-i: %v %s", err, out.Stderr)
		}
		return answer == "yes"
	}
	allowed := []string{
		"list tritonleases.tms.triton-leases.dev", "delete tritonleases.tms.triton-leases.dev", "update tritonleases.tms.triton-leases.dev/status",
		"create deployments.apps", "patch deployments.apps", "create services", "delete horizontalpodautoscalers.autoscaling",
		"patch podmonitors.monitoring.coreos.com", "patch prometheusrules.monitoring.coreos.com", "create events.events.k8s.io",
	}
	for _, right := range allowed {
		verb, resource, _ := strings.Cut(right, " ")
		if !may(l.namespace, verb, resource) {
			s.Errorf("it may not %s where it looks after leases", right)
		}
		if may(elsewhere.namespace, verb, resource) {
			s.Errorf("it may %s elsewhere", right)
		}
	}
	for _, right := range []string{
		"create tritonleases.tms.triton-leases.dev", "update tritonleases.tms.triton-leases.dev", "patch tritonleases.tms.triton-leases.dev",
		"get secrets", "list secrets", "get configmaps", "list configmaps", "create pods", "list pods", "delete pods", "create pods/exec",
		"create serviceaccounts/token", "deletecollection deployments.apps", "update leases.coordination.k8s.io", "create roles.rbac.authorization.k8s.io",
		"create rolebindings.rbac.authorization.k8s.io", "impersonate users", "list nodes", "list namespaces", "create jobs.batch",
		"create clusterroles.rbac.authorization.k8s.io", "patch customresourcedefinitions.apiextensions.k8s.io", "get replicasets.apps", "* *",
	} {
		verb, resource, _ := strings.Cut(right, " ")
		for _, namespace := range []string{l.namespace, elsewhere.namespace, "kube-system"} {
			if may(namespace, verb, resource) {
				s.Errorf("it may %s in %s", right, namespace)
			}
		}
	}
	s.step("%d rights that it has, and those that it does not have", len(allowed))

	s.consistently("a lease elsewhere is not touched", 5*time.Second, func() (bool, string) {
		lease := elsewhere.mustGet("resnet50")
		objects, err := elsewhere.all(s.Context())
		return err == nil && len(objects) == 0 && len(lease.Status.Conditions) == 0 && lease.Generation == 1, kindsOf(objects)
	})
	calls, err := h.Cluster.Calls(l.account, 0)
	s.must(err)
	for _, call := range calls {
		if call.Object.Namespace != "" && call.Object.Namespace != l.namespace {
			s.fatal("it asked for something elsewhere: %v", call)
		}
	}
	s.step("it never asked for anything elsewhere, in %d calls", len(calls))
	l.checkUserRoles(elsewhere.namespace)
}

// people checks what the roles of a namespace may do with leases.
func (l *leases) checkUserRoles(namespace string) {
	l.Helper()
	for role, rights := range map[string]map[string]bool{
		"view": {"get": true, "list": true, "create": false, "delete": false},
		"edit": {"get": true, "create": true, "patch": true, "delete": true},
	} {
		user := "e2e-" + role
		_, err := l.cluster.Kubectl(l.Context(), "", "create", "rolebinding", user, "--clusterrole="+role, "--user="+user, "-n", namespace)
		l.must(err)
		for verb, want := range rights {
			l.eventually(role+": "+verb, func() (bool, string) { // roles are aggregated in a while
				out, _ := l.cluster.Kubectl(l.Context(), "", "auth", "can-i", verb, "tl", "-n", namespace, "--as", user)
				return (strings.TrimSpace(out.Stdout) == "yes") == want, out.Stdout
			})
		}
	}
}
