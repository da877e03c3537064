package doctor_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	configMapsPath = "/api/v1/namespaces/inference/configmaps"
	ownServerPath  = "/apis/apps/v1/namespaces/inference/deployments"
)

// scheduled gives the lease a schedule: tms-server makes the HorizontalPodAutoscaler from a
// ConfigMap.
func scheduled(w *world) {
	w.item(scalersPath, 0, `{metadata: {name: tms-resnet50.schedule, labels: {app.kubernetes.io/managed-by: tms-server},
		ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: tms-resnet50.schedule, uid: "3456", controller: true}]}}`)
	w.objects[configMapsPath] = parse(w.t, `{items: [{metadata: {name: tms-resnet50.schedule, namespace: inference,
		labels: {app.kubernetes.io/instance: tms, tms.triton-leases.dev/lease: resnet50, tms.triton-leases.dev/schedule: "true"}}}]}`)
	w.objects[ownServerPath] = parse(w.t, `{items: [{metadata: {name: tms-server, namespace: inference,
		labels: {app.kubernetes.io/component: server, app.kubernetes.io/instance: tms}}, status: {availableReplicas: 1}}]}`)
}

// TestSchedule checks a lease of the values with a schedule, and that a TritonLease of the same
// name is another lease.
func TestSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	scheduled(w)
	report := check(t, w, "")
	require.Empty(t, codes(report))
	require.Len(t, report.Sections, 2)
	require.Contains(t, report.Sections[1].Results[0].Message, "tms-server is available")

	w.merge(leasesPath, `{items: [{metadata: {name: resnet50, namespace: inference}, spec: {autoscaling: {enable: true}}, status: {conditions: [{type: Granted, status: "False", message: "refused"}]}}]}`)
	require.Equal(t, []string{"TMS1102"}, codes(check(t, w, "")))
	require.Len(t, check(t, w, "").Sections, 3)
}

// TestScheduleWithoutScaler checks that tms-server that is down is the cause of a missing
// HorizontalPodAutoscaler, and that a missing right to ConfigMaps is reported.
func TestScheduleWithoutScaler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, healthy)
	scheduled(w)
	w.merge(scalersPath, `{items: []}`)
	w.item(ownServerPath, 0, `{status: {availableReplicas: 0}}`)
	require.Equal(t, []string{"TMS1011"}, codes(check(t, w, "")))
	w.forbid(configMapsPath, "list", "configmaps", "", "inference")
	require.Equal(t, []string{"you may not list configmaps in namespace inference"}, codes(check(t, w, "")))
}
