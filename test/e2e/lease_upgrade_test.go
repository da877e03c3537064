//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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
	s.step("a TritonLease conflicts with a lease in the values that has the same name")
	l.apply("installed", scaled(3))
	l.is("installed", "Ready", metav1.ConditionFalse, "Conflict", "Deployment tms-installed")
	installedUnchanged()
	l.delete("installed")

	l.has("resnet50", scaledKinds)
	podsUnchanged := l.snapshotPods("resnet50", "plain")
	l.permitted()
	s.must(h.Helm(4).Uninstall(s.Context(), release))
	s.step("helm4 uninstalled it")
	s.eventually("the pods of the installed lease are deleted", func() (bool, string) {
		pods, err := l.pods("installed")
		return err == nil && len(pods) == 0, fmt.Sprint(len(pods), err)
	})
	l.serversLeft(0)
	uid := l.mustGet("resnet50").UID
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

// TestLeaseUpgradeBounds upgrades from bounds that are as wide as before there were bounds
// to the defaults. A lease that no longer fits says so, and keeps running.
func TestLeaseUpgradeBounds(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-upgrade-bounds")
	l := s.ownLeases(3, formerFields, `server: {leases: {podSecurityStandard: privileged, allowedSecrets: ["*"], allowedTolerations: [{}], allowedTargets: All,
  limits: {replicas: 2000, gpus: 2000}}}`)
	l.apply("old", "{"+vision+", triton: {replicas: 12, podLabels: {team: vision}, schedulerName: default-scheduler, tolerations: [{key: spot, operator: Exists}]}}")
	l.apply("simple", "{"+vision+"}")
	s.becomes(l.namespace, objectName("old"), 12)
	for _, name := range []string{"old", "simple"} {
		l.is(name, "Granted", metav1.ConditionTrue, "Granted")
		l.serves(name)
	}
	simpleUnchanged := l.snapshotPods("simple")
	pods, err := l.pods("old")
	s.must(err)
	before := map[types.UID]bool{}
	for _, pod := range pods {
		before[pod.UID] = true
	}

	l.values = l.values[:2] // without the wide bounds
	l.configure("{}")
	const sentence = "spec.triton.podLabels: " + notAllowed
	l.is("old", "Granted", metav1.ConditionFalse, "Refused", sentence, "spec.triton.schedulerName", "spec.triton.tolerations[0]")
	l.hasEvent("old", "Refused", sentence)
	l.is("old", "Ready", metav1.ConditionTrue, "Serving")
	l.is("simple", "Granted", metav1.ConditionTrue, "Granted")
	s.consistently("the old lease keeps its pods", 10*time.Second, func() (bool, string) {
		pods, err := l.pods("old")
		for _, pod := range pods {
			if !before[pod.UID] || pod.Status.ContainerStatuses[0].RestartCount > 0 {
				return false, pod.Name + " is new, or restarted"
			}
		}
		return err == nil && len(pods) >= 10, fmt.Sprint(len(pods), " pods ", err)
	})
	simpleUnchanged()
	l.quiet(5 * time.Second)

	s.step("the owner corrects the lease")
	l.patch("old", `{"triton":{"podLabels":null,"schedulerName":null,"tolerations":null}}`)
	l.is("old", "Granted", metav1.ConditionTrue, "Adjusted", "spec.triton.replicas: asked 12, granted 10 (server.leases.limits.replicas)")
	s.becomes(l.namespace, objectName("old"), 10)
	l.delete("old")
	l.gone("old")
}
