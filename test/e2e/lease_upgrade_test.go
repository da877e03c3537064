//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/test/e2e/helm"
)

// withoutServer is the packaged chart of a version before tms-server.
const withoutServer = "testdata/tms-without-server.tgz"

// TestLeaseUpgrade upgrades a release of a chart without tms-server, and enables the
// server. An uninstall keeps the CustomResourceDefinition, the leases and their pods. A
// reinstall takes them over.
func TestLeaseUpgrade(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-upgrade")
	s.sharedServer() // installs the CustomResourceDefinition; this release takes it over
	namespace := s.namespace("", nil)
	release := helm.Release{Name: "tms", Namespace: namespace, Chart: withoutServer}
	values := queueLease("installed", 3, 100000)
	old := strings.Replace(shortened, "  lifecycle: {preStop: {sleep: {seconds: 1}}}\n", "", 1) // it does not know the key
	_, err := h.Helm(4).Install(s.Context(), release, old, values)
	s.must(err)
	s.step("helm4 installed the chart without tms-server")
	own := []string{shortened, values, serverValues, fmt.Sprintf("server: {namespaces: [%s]}", namespace)}
	l := s.leasesIn(&server{cluster: h.Cluster, release: release, account: namespace + ":tms-server"}, namespace)
	s.becomes(namespace, "tms-installed", 1)

	release.Chart, release.Flags = h.Chart, []string{"--take-ownership", "--force-conflicts"}
	_, err = h.Helm(4).Upgrade(s.Context(), release, own...)
	s.must(err)
	s.step("helm4 upgraded to this chart, with tms-server")
	s.becomes(namespace, "tms-installed", 1)
	installedUnchanged := l.snapshotPods("installed")
	l.apply("resnet50", scaled(3))
	l.serves("resnet50")
	l.apply("plain", "{"+vision+"}")
	l.serves("plain")
	s.step("a TritonLease conflicts with a lease of the values that has the same name")
	l.apply("installed", scaled(3))
	l.is("installed", "Ready", metav1.ConditionFalse, "Conflict", "Deployment tms-installed")
	installedUnchanged()
	l.delete("installed")

	l.has("resnet50", scaledKinds)
	podsUnchanged := l.snapshotPods("resnet50", "plain")
	l.permitted()
	s.must(h.Helm(4).Uninstall(s.Context(), release))
	s.step("helm4 uninstalled it")
	s.eventually("the pods of the release are deleted", func() (bool, string) {
		pods, err := l.serverPods(s.Context())
		installed, failed := l.pods("installed")
		return err == nil && failed == nil && len(pods) == 0 && len(installed) == 0, fmt.Sprint(len(pods), len(installed), err, failed)
	})
	uid := l.mustGet("resnet50").UID
	l.since = h.Cluster.Now() // helm deleted the rights while the pods terminated
	podsUnchanged()
	l.has("resnet50", scaledKinds)
	l.has("plain", plainKinds)
	s.reads(namespace, objectName("resnet50"), queueMetric)

	release.Flags = nil
	_, err = h.Helm(4).Install(s.Context(), release, own...)
	s.must(err)
	s.step("helm4 installed it again")
	l.patch("plain", `{"duration":"1h"}`)
	l.is("plain", "Granted", metav1.ConditionTrue, "Granted")
	l.patch("resnet50", `{"autoscaling":{"replicas":{"maximum":2}}}`)
	l.maximum("resnet50", 2)
	l.serves("resnet50")
	l.has("resnet50", scaledKinds)
	l.has("plain", plainKinds)
	podsUnchanged()
	l.belongs("resnet50", namespace+"/tms")
	if l.mustGet("resnet50").UID != uid {
		s.fatal("the lease was replaced")
	}
}
