package doctor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/doctor"
)

// installBreak is an install that a cluster is not ready for.
type installBreak struct {
	values    string
	namespace string
	breaks    func(*world)
}

// installBreaks are the set-ups of the codes of an install.
var installBreaks = map[string]installBreak{
	"TMS1401": {values: `server: {autoscaling: {prometheus: {podMonitorLabels: {team: vision}}}}`},
	"TMS1402": {values: `server: {autoscaling: {prometheus: {ruleLables: {team: vision}}}}`},
	"TMS1403": {breaks: func(w *world) {
		w.item(mainPath, 0, `{spec: {podMonitorNamespaceSelector: {matchLabels: {monitored: "yes"}}}}`)
	}},
	"TMS1404": {breaks: func(w *world) { w.denied = []string{"podmonitors", "secrets"} }},
	"TMS1405": {values: `routes: {parentRefs: [{name: public}], domain: example.com}`},
}

// scaling are values with a lease that scales.
const scaling = `
server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}
leases: {resnet50: {models: [{name: resnet50, uri: /models}], autoscaling: {enable: true}}}`

func (b installBreak) check(t *testing.T) *doctor.Report {
	t.Helper()
	w := newWorld(t, healthy)
	w.merge(operatorPath, `{}`)
	w.serveKinds()
	if b.breaks != nil {
		b.breaks(w)
	}
	install, err := doctor.NewInstall([]byte(scaling), []byte(b.values))
	require.NoError(t, err)
	return checkInstall(t, w, install, b.namespace)
}

func checkInstall(t *testing.T, w *world, install *doctor.Install, namespace string) *doctor.Report {
	t.Helper()
	if namespace == "" {
		namespace = "inference"
	}
	report, err := doctor.New(w, doctor.Options{Namespace: namespace}).CheckInstall(t.Context(), install)
	require.NoError(t, err)
	return report
}

// serveKinds adds the kinds of Kubernetes that a lease needs.
func (w *world) serveKinds() {
	w.objects["/api/v1"] = parse(w.t, `{resources: [{name: services, kind: Service, namespaced: true}, {name: secrets, kind: Secret, namespaced: true},
		{name: configmaps, kind: ConfigMap, namespaced: true}, {name: serviceaccounts, kind: ServiceAccount, namespaced: true}]}`)
	w.objects["/apis/autoscaling/v2"] = parse(w.t, `{resources: [{name: horizontalpodautoscalers, kind: HorizontalPodAutoscaler, namespaced: true}]}`)
}

// TestInstall checks a cluster that is ready, and the namespaces that do not exist yet.
func TestInstall(t *testing.T) {
	t.Parallel()
	require.Empty(t, codes(installBreak{}.check(t)))
	require.Empty(t, codes(installBreak{namespace: "new"}.check(t)), "helm creates the namespace")
	matching := `server: {autoscaling: {prometheus: {podMonitorLabels: {team: vision}, ruleLabels: {team: vision}}}}`
	other := installBreak{values: matching, breaks: func(w *world) {
		second := parse(t, `{metadata: {name: second, namespace: monitoring}, spec: {podMonitorSelector: {matchLabels: {team: vision}}, podMonitorNamespaceSelector: {}, ruleSelector: {}, ruleNamespaceSelector: {}}}`)
		w.objects[mainPath]["items"] = append(w.objects[mainPath]["items"].([]any), second)
	}}
	require.Empty(t, codes(other.check(t)), "the second Prometheus selects")

	w := newWorld(t, healthy)
	w.serveKinds()
	typical, err := doctor.NewInstall()
	require.NoError(t, err)
	require.Empty(t, codes(checkInstall(t, w, typical, "")))
	delete(w.objects, operatorPath)
	delete(w.objects, adapterPath)
	delete(w.objects, cpuPath)
	require.Equal(t, []string{"TMS1001", "TMS1006", "TMS1008"}, codes(checkInstall(t, w, typical, "")), "an empty cluster")
	fixed, err := doctor.NewInstall([]byte(`leases: {a: {models: [{name: a, uri: /models}]}}`))
	require.NoError(t, err)
	require.Equal(t, []string{"TMS1001"}, codes(checkInstall(t, w, fixed, "")), "no lease scales")
}

// TestInstallRefusesValues checks the errors of values that cannot be read.
func TestInstallRefusesValues(t *testing.T) {
	t.Parallel()
	for values, message := range map[string]string{
		"a: 1\na: 2": "duplicate key",
		"server: {autoscaling: {replicas: {limits: {maximum: 1}, default: {maximum: 5}}}}": "server.autoscaling.replicas.default.maximum",
		"leases: 5": "cannot unmarshal",
	} {
		_, err := doctor.NewInstall([]byte(values))
		require.ErrorContains(t, err, message)
	}
}
