//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/helm"
)

// TestLeaseInstallations checks two installations that manage the same namespace: a lease
// belongs to the first installation that claims it, until a user hands it over.
func TestLeaseInstallations(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-installations")
	l := s.ownLeases(3)
	l.apply("first", scaled(2))
	l.serves("first")
	l.has("first", scaledKinds)
	first := l.namespace + "/tms"
	l.belongs("first", first)
	podsUnchanged := l.snapshotPods("first")

	other := s.namespace("-two", nil)
	release := helm.Release{Name: "two", Namespace: other, Chart: h.Chart}
	_, err := h.Helm(3).Install(s.Context(), release, shortened, serverValues, fmt.Sprintf("server: {namespaces: [%s], crd: {enabled: false}}", l.namespace))
	s.must(err)
	s.step("another installation manages the same namespace")
	two := s.leasesIn(&server{cluster: h.Cluster, release: release, account: other + ":two-tms-server"}, l.namespace)
	for i := range 6 {
		l.apply(fmt.Sprintf("new-%d", i), `{`+vision+`, triton: {replicas: 0}}`)
	}
	for i := range 6 {
		name := fmt.Sprintf("new-%d", i)
		l.is(name, "Granted", metav1.ConditionTrue, "Granted")
		s.eventually(name+" has the objects of one installation", func() (bool, string) {
			objects, err := l.objectsOf(name)
			prefix := map[string]string{first: "tms-", other + "/two": "two-tms-"}[l.mustGet(name).Status.Installation]
			for _, o := range objects {
				if prefix == "" || strings.TrimSuffix(o.Name, "-headless") != prefix+name {
					return false, fmt.Sprintf("%s %s, of %s", o.Kind, o.Name, l.mustGet(name).Status.Installation)
				}
			}
			return err == nil && kindsOf(objects) == plainKinds, fmt.Sprint(kindsOf(objects), err)
		})
	}
	l.quiet(10 * time.Second)
	two.quiet(time.Second)
	l.belongs("first", first)
	l.has("first", scaledKinds)
	podsUnchanged()

	l.permitted()
	s.must(h.Helm(3).Uninstall(s.Context(), l.release))
	s.step("the first installation is uninstalled")
	l.serversLeft(0)
	two.quiet(10 * time.Second)
	podsUnchanged()
	_, err = h.Cluster.Kubectl(s.Context(), "", "patch", "tl", "first", "-n", l.namespace, "--subresource=status", "--type=merge", "-p", `{"status":{"installation":null}}`)
	s.must(err)
	s.step("the lease is handed over")
	l.belongs("first", other+"/two")
	s.eventually("the other installation replaced its objects", func() (bool, string) {
		lease := l.mustGet("first")
		objects, err := l.objectsOf("first")
		names := map[string]bool{}
		for _, o := range objects {
			names[o.Name] = true
		}
		return err == nil && len(names) == 2 && names["two-tms-first"] && names["two-tms-first-headless"] && lease.condition("Ready").Status == metav1.ConditionTrue &&
			lease.Status.Address == "two-tms-first."+l.namespace+".svc", fmt.Sprint(names, lease.Status.Address, lease.condition("Ready"), err)
	})
}

// belongs waits until the status of a lease names an installation.
func (l *leases) belongs(name, installation string) {
	l.Helper()
	l.eventually(fmt.Sprintf("%s belongs to %s", name, installation), func() (bool, string) {
		lease, err := l.get(name)
		return err == nil && lease.Status.Installation == installation, fmt.Sprint(lease.Status.Installation, err)
	})
}

// TestLeaseNamespaces checks that a deleted namespace does not block the leases of other
// namespaces, and that the server manages it again when it is recreated.
func TestLeaseNamespaces(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-namespaces")
	second := s.namespace("-second", nil)
	both := fmt.Sprintf("server: {namespaces: [e2e-lease-namespaces, %s]}", second)
	l := s.ownLeases(4, both)
	other := &leases{scenario: s, server: l.server, namespace: second}
	for _, in := range []*leases{l, other} {
		in.apply("before", "{"+vision+"}")
		in.serves("before")
	}
	l.permitted()
	_, err := h.Cluster.Kubectl(s.Context(), "", "delete", "namespace", second)
	s.must(err)
	s.step("a namespace is deleted")
	// New servers start without the namespace, as after a crash.
	_, err = h.Cluster.Kubectl(s.Context(), "", "delete", "pod", "-l", "app.kubernetes.io/component=server", "-n", l.namespace)
	s.must(err)
	l.apply("meanwhile", "{"+vision+"}")
	l.serves("meanwhile")
	s.becomes(l.namespace, "tms-server", 2)
	pods, err := l.serverPods(s.Context())
	s.must(err)
	for name := range pods {
		text, err := h.Cluster.Client.CoreV1().Pods(l.namespace).GetLogs(name, new(corev1.PodLogOptions)).DoRaw(s.Context())
		s.must(err)
		if !strings.Contains(string(text), "lacks rights in a namespace") || !strings.Contains(string(text), second) {
			s.fatal("the log of %s does not report that it skips %s:\n%s", name, second, text)
		}
	}

	s.must(h.Cluster.Apply(s.Context(), restrictedNamespace(second, nil)))
	_, err = h.Helm(4).Upgrade(s.Context(), l.release, append([]string{shortened}, l.values...)...)
	s.must(err)
	s.step("the namespace is recreated, with the rights in it")
	other.apply("after", "{"+vision+"}")
	other.serves("after")
	l.apply("after", "{"+vision+"}")
	l.serves("after")
	l.since = h.Cluster.Now() // requests in the deleted namespace were forbidden
}
