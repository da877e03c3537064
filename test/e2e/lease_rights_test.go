//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestLeaseRights checks that a server with a list of namespaces has exactly the rights
// that it needs in them, and neither rights nor requests in other namespaces.
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
		"list pods",
	}
	for _, right := range allowed {
		verb, resource, _ := strings.Cut(right, " ")
		if !may(l.namespace, verb, resource) {
			s.Errorf("it may not %s in its namespace", right)
		}
		if may(elsewhere.namespace, verb, resource) {
			s.Errorf("it may %s in another namespace", right)
		}
	}
	for _, right := range []string{
		"create tritonleases.tms.triton-leases.dev", "update tritonleases.tms.triton-leases.dev", "patch tritonleases.tms.triton-leases.dev",
		"get secrets", "list secrets", "get configmaps", "list configmaps", "create pods", "get pods", "watch pods", "delete pods", "create pods/exec",
		"create serviceaccounts/token", "deletecollection deployments.apps", "update leases.coordination.k8s.io", "create roles.rbac.authorization.k8s.io",
		"create rolebindings.rbac.authorization.k8s.io", "impersonate users", "list nodes", "list namespaces", "create jobs.batch",
		"create clusterroles.rbac.authorization.k8s.io", "patch customresourcedefinitions.apiextensions.k8s.io", "list replicasets.apps", "* *",
	} {
		verb, resource, _ := strings.Cut(right, " ")
		for _, namespace := range []string{l.namespace, elsewhere.namespace, "kube-system"} {
			if may(namespace, verb, resource) {
				s.Errorf("it may %s in %s", right, namespace)
			}
		}
	}
	s.step("it has %d rights in its namespace, and no others", len(allowed))

	s.consistently("a lease in another namespace is unchanged", 5*time.Second, func() (bool, string) {
		lease := elsewhere.mustGet("resnet50")
		objects, err := elsewhere.all(s.Context())
		return err == nil && len(objects) == 0 && len(lease.Status.Conditions) == 0 && lease.Generation == 1, kindsOf(objects)
	})
	calls, err := h.Cluster.Calls(l.account, 0)
	s.must(err)
	for _, call := range calls {
		if call.Object.Namespace != "" && call.Object.Namespace != l.namespace {
			s.fatal("it sent a request to another namespace: %v", call)
		}
	}
	s.step("none of its %d requests is to another namespace", len(calls))
	l.checkUserRoles(elsewhere.namespace)
}

// checkUserRoles checks the rights on leases of the roles view and edit.
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
			l.eventually(role+": "+verb, func() (bool, string) { // the aggregation of roles takes a moment
				out, _ := l.cluster.Kubectl(l.Context(), "", "auth", "can-i", verb, "tl", "-n", namespace, "--as", user)
				return (strings.TrimSpace(out.Stdout) == "yes") == want, out.Stdout
			})
		}
	}
}
