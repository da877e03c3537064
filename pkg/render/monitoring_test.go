package render_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// controller is the release of a tms-server.
var controller = render.Release{Name: "tms", Namespace: "system", Controller: true}

const monitored = `server: {autoscaling: {enable: true, metrics: {
  queueTime: {enabled: true, allowed: true}, firstResponseTime: {allowed: true}, waitingRequests: {allowed: true},
  own: {query: "max by (namespace, pod) (x{$pods})", unit: things, allowed: true, threshold: {default: 5, minimum: 1}}}}}`

func leaseRenderer(t testing.TB, release render.Release, files ...string) *render.LeaseRenderer {
	t.Helper()
	input := new(render.Input)
	for _, file := range files {
		require.NoError(t, input.Add([]byte(file)))
	}
	lr, err := goPolicy.LeaseRenderer(release, input)
	require.NoError(t, err)
	return lr
}

func prometheus(monitors string) string {
	return fmt.Sprintf("server: {autoscaling: {prometheus: {monitors: %q}}}", monitors)
}

func leaseIn(namespace, name string, spec v1alpha1.LeaseSpec) *v1alpha1.TritonLease {
	if spec.Target == nil {
		spec.Models = []v1alpha1.Model{{Name: "m", URI: "/models"}}
	}
	return &v1alpha1.TritonLease{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: v1alpha1.TritonLeaseSpec{LeaseSpec: spec},
	}
}

func scaledBy(metrics ...v1alpha1.MetricName) v1alpha1.LeaseSpec {
	spec := v1alpha1.LeaseSpec{Autoscaling: v1alpha1.Autoscaling{Enable: true, Metrics: map[v1alpha1.MetricName]v1alpha1.MetricRequest{}}}
	for _, name := range metrics {
		spec.Autoscaling.Metrics[name] = v1alpha1.MetricRequest{Enabled: new(true)}
	}
	return spec
}

// needs grants leases, and returns what they need together.
func needs(t testing.TB, lr *render.LeaseRenderer, leases ...*v1alpha1.TritonLease) render.MonitoringNeeds {
	t.Helper()
	var all render.MonitoringNeeds
	for _, lease := range leases {
		granted, err := lr.GrantTritonLease(lease)
		require.NoError(t, err)
		all.Add(lease, &v1alpha1.Granted{Grant: granted.Grant, Term: granted.Term})
	}
	return all
}

func TestMonitorsByDefault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		monitors         string
		release          render.Release
		perLease, shared bool
	}{
		{"", release, true, false},
		{"", controller, false, true},
		{"perLease", controller, true, false},
		{"shared", release, false, true},
		{"both", controller, true, true},
	} {
		lr := leaseRenderer(t, c.release, monitored, prometheus(c.monitors))
		require.Equal(t, c.perLease, lr.MonitorsPerLease(), "%+v", c)
		require.Equal(t, c.shared, lr.SharesMonitors(), "%+v", c)
		if !c.release.Controller {
			continue
		}
		target := scaledBy()
		target.Target = &v1alpha1.Target{Name: "x", Selector: map[string]string{"app": "x"}}
		for lease, own := range map[*v1alpha1.TritonLease]bool{
			leaseIn("ns", "a", scaledBy("own")): c.perLease,
			leaseIn("ns", "b", target):          true,
		} {
			objects, err := lr.TritonLease(lease)
			require.NoError(t, err)
			require.Equal(t, own, objects.PodMonitor != nil, "%+v", c)
			require.Equal(t, own, objects.PrometheusRule != nil, "%+v", c)
			require.Equal(t, c.perLease && lease.Name == "a", objects.MetricsRule != nil, "%+v", c)
			require.NotNil(t, objects.HorizontalPodAutoscaler)
		}
	}
}

func TestMonitoringNeeds(t *testing.T) {
	t.Parallel()
	lr := leaseRenderer(t, controller, monitored)
	require.Zero(t, needs(t, lr))
	fixed := leaseIn("ns", "fixed", v1alpha1.LeaseSpec{})
	require.Equal(t, render.MonitoringNeeds{Scraped: true}, needs(t, lr, fixed))
	renewed := leaseIn("ns", "renewed", v1alpha1.LeaseSpec{})
	renewed.Spec.AutoRenew, renewed.Spec.Duration = new(true), new(v1alpha1.Duration("24h"))
	require.Equal(t, render.MonitoringNeeds{Scraped: true, Renewed: true}, needs(t, lr, fixed, renewed))
	a, b := leaseIn("ns", "a", scaledBy("waitingRequests")), leaseIn("ns", "b", scaledBy("own", "firstResponseTime"))
	require.Equal(t, render.MonitoringNeeds{
		Scraped: true, Autoscaled: true, Renewed: true,
		Metrics: []v1alpha1.MetricName{"firstResponseTime", "own", "queueTime", "waitingRequests"},
	}, needs(t, lr, a, renewed, b, a, fixed))

	target := scaledBy()
	target.Target = &v1alpha1.Target{Name: "x", Selector: map[string]string{"app": "x"}}
	require.Zero(t, needs(t, lr, leaseIn("ns", "t", target)))
	var none render.MonitoringNeeds
	none.Add(fixed, nil)
	require.Zero(t, none)
}

// TestMonitoring checks which objects there are, and that one more lease does not change them.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	lr := leaseRenderer(t, controller, monitored)
	fixed := leaseIn("ns", "fixed", v1alpha1.LeaseSpec{})
	nothing, err := lr.Monitoring("ns", needs(t, lr, fixed))
	require.NoError(t, err)
	require.Zero(t, *nothing)

	scraped := leaseRenderer(t, controller, monitored, "metrics: {enabled: true}")
	only, err := scraped.Monitoring("ns", needs(t, scraped, fixed))
	require.NoError(t, err)
	require.NotNil(t, only.PodMonitor)
	require.Nil(t, only.PrometheusRule)

	a, b := leaseIn("ns", "lease-a", scaledBy("waitingRequests")), leaseIn("ns", "lease-b", scaledBy("waitingRequests"))
	one, err := lr.Monitoring("ns", needs(t, lr, a))
	require.NoError(t, err)
	require.Nil(t, one.MetricsRule)
	two, err := lr.Monitoring("ns", needs(t, lr, a, fixed, b))
	require.NoError(t, err)
	require.Equal(t, one, two)
	require.NotContains(t, fmt.Sprint(one.PodMonitor, one.PrometheusRule), "lease-a")
	for _, meta := range []metav1.ObjectMeta{one.PodMonitor.ObjectMeta, one.PrometheusRule.ObjectMeta} {
		require.Equal(t, "tms.system.leases", meta.Name)
		require.Equal(t, "ns", meta.Namespace)
		require.Equal(t, render.ControllerName, meta.Labels["app.kubernetes.io/managed-by"])
		require.Equal(t, "prometheus", meta.Labels["release"])
		require.NotContains(t, meta.Labels, "tms.triton-leases.dev/lease")
	}

	own, err := lr.Monitoring("other", needs(t, lr, a, leaseIn("other", "c", scaledBy("own"))))
	require.NoError(t, err)
	require.Equal(t, "tms.system.leases.metrics", own.MetricsRule.Name)
	require.Equal(t, "max by (namespace, pod) (x{namespace=\"other\",job=\"other/tms.system.leases\"})", own.MetricsRule.Spec.Groups[0].Rules[0].Expr.StrVal)
	require.Equal(t, "other", own.PodMonitor.Namespace)
	require.Equal(t, "ns", one.PodMonitor.Namespace)

	// The configuration can lose a metric by which a lease still scales.
	gone, err := lr.Monitoring("ns", render.MonitoringNeeds{Autoscaled: true, Metrics: []v1alpha1.MetricName{"gone"}})
	require.NoError(t, err)
	require.Nil(t, gone.MetricsRule)
	require.NotNil(t, gone.PrometheusRule)
}

// TestMonitoringSelectsPods checks that the shared PodMonitor selects the pods of all leases
// of its installation, and of no other.
func TestMonitoringSelectsPods(t *testing.T) {
	t.Parallel()
	lr := leaseRenderer(t, controller, monitored)
	lease := leaseIn("ns", "a", scaledBy())
	monitoring, err := lr.Monitoring("ns", needs(t, lr, lease))
	require.NoError(t, err)
	selector, err := metav1.LabelSelectorAsSelector(&monitoring.PodMonitor.Spec.Selector)
	require.NoError(t, err)
	selects := func(lr *render.LeaseRenderer, lease *v1alpha1.TritonLease) bool {
		objects, err := lr.TritonLease(lease)
		require.NoError(t, err)
		return selector.Matches(labels.Set(objects.Deployment.Spec.Template.Labels))
	}
	require.True(t, selects(lr, lease))
	require.True(t, selects(lr, leaseIn("ns", "b", v1alpha1.LeaseSpec{})))
	other := controller
	other.Name = "tms-other"
	require.False(t, selects(leaseRenderer(t, other, monitored), lease))
	values, err := goPolicy.Lease(render.Release{Name: "tms", Namespace: "ns"}, "a", []byte(monitored), []byte("leases: {a: {models: [{name: m, uri: /models}]}}"))
	require.NoError(t, err)
	require.False(t, selector.Matches(labels.Set(values.Deployment.Spec.Template.Labels)), "a lease in values")
}

// TestSharedByValues checks that leases in values share one PodMonitor and that the shared
// rules are those of TritonLeases.
func TestSharedByValues(t *testing.T) {
	t.Parallel()
	var values strings.Builder
	values.WriteString("leases:\n")
	for i := range 50 {
		fmt.Fprintf(&values, "  lease-%d: {models: [{name: m, uri: /models}], autoscaling: {enable: true, metrics: {own: {enabled: true}}}}\n", i)
	}
	result, err := goPolicy.Render(release, []byte(monitored), []byte(prometheus("shared")), []byte(values.String()))
	require.NoError(t, err)
	var found []string
	for document := range result.Documents() {
		if document.Kind == "PodMonitor" || document.Kind == "PrometheusRule" {
			found = append(found, document.Text)
		}
	}
	require.Len(t, found, 3)

	lr := leaseRenderer(t, controller, monitored)
	granted, err := lr.GrantTritonLease(leaseIn("inference", "a", scaledBy("own")))
	require.NoError(t, err)
	ofServer, err := lr.Manifests(granted)
	require.NoError(t, err)
	require.NoError(t, ofServer.AddMonitoring())
	var shared []string
	for document := range ofServer.Documents() {
		if document.Kind == "PodMonitor" || document.Kind == "PrometheusRule" {
			text := strings.NewReplacer("tms.system.leases", "tms.leases", `managed-by: "tms-server"`, `managed-by: "Helm"`,
				"Raise spec.", "Raise leases.{{ $labels.tms_lease }}.").Replace(document.Text)
			shared = append(shared, text)
		}
	}
	require.True(t, slices.Equal(found, shared), "%s\n\n%s", found, shared)
}
