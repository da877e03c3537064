package render_test

import (
	"io/fs"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/triton-leases/tms/charts"
)

// TestDashboardObjects checks that the ConfigMaps hold the files of the chart, without the newline at the end, and
// that the GrafanaDashboards refer to them.
func TestDashboardObjects(t *testing.T) {
	t.Parallel()
	values := read(t, "../../charts/tms/ci/dashboards-values.yaml")
	type reference struct{ Name, Key string }
	maps, operated := map[reference]string{}, map[reference]bool{}
	for document := range mustRender(t, goPolicy, values).Documents() {
		switch document.Kind {
		case "ConfigMap":
			var m corev1.ConfigMap
			require.NoError(t, document.Decode(&m))
			for key, text := range m.Data {
				if strings.HasSuffix(key, ".json") {
					require.Equal(t, "1", m.Labels["grafana_dashboard"], "the default is merged with the labels of the values")
					require.Equal(t, "grafana", m.Labels["release"])
					require.Equal(t, "monitoring", m.Namespace)
					maps[reference{m.Name, key}] = text
				}
			}
		case "GrafanaDashboard":
			d := new(unstructured.Unstructured)
			require.NoError(t, document.Decode(d))
			spec := d.Object["spec"].(map[string]any)
			ref := spec["configMapRef"].(map[string]any)
			operated[reference{ref["name"].(string), ref["key"].(string)}] = true
			delete(spec, "configMapRef")
			require.Equal(t, map[string]any{
				"instanceSelector":          map[string]any{"matchLabels": map[string]any{"dashboards": "platform"}},
				"allowCrossNamespaceImport": true, "folder": "TMS",
			}, spec)
		}
	}
	require.Len(t, maps, 3)
	for ref, text := range maps {
		file, err := fs.ReadFile(charts.TMS(), "files/dashboards/"+ref.Key)
		require.NoError(t, err)
		require.True(t, strings.TrimSpace(string(file)) == text, "%v is not the file", ref)
		require.True(t, operated[ref], "no GrafanaDashboard refers to %v", ref)
	}
	require.Len(t, operated, 3)

	withoutServer := mustRender(t, goPolicy, values, []byte("server: {enabled: false}"))
	require.NotContains(t, printed(t, withoutServer), "tms-server.json", "there is no tms-server to show")
	off := printed(t, mustRender(t, goPolicy, values, []byte("dashboards: {enabled: false}")))
	for _, word := range []string{"GrafanaDashboard", "tms-fleet", "dashboard_url", "__dashboardUid__"} {
		require.NotContains(t, off, word)
	}
	require.Contains(t, off, "runbook_url: ")
}

// TestAlertLinks checks the links of the alerts of leases in the values, and of a TritonLease,
// which tms-server renders from its configuration. Alerts of shared rules name the lease by
// its label.
func TestAlertLinks(t *testing.T) {
	t.Parallel()
	values := read(t, "../../charts/tms/ci/dashboards-values.yaml")
	links := func(rule *monitoringv1.PrometheusRule) (all []string) {
		for _, group := range rule.Spec.Groups {
			for _, r := range group.Rules {
				if r.Alert != "" {
					require.Equal(t, "https://github.com/triton-leases/tms/blob/main/docs/troubleshooting.md#"+strings.ToLower(r.Alert), r.Annotations["runbook_url"])
					all = append(all, strings.Join([]string{r.Alert, r.Annotations["dashboard_url"], r.Annotations["__dashboardUid__"], r.Annotations["__panelId__"]}, " "))
				}
			}
		}
		return all
	}
	const grafana = " https://grafana.example.com/sub/d/"
	of := func(namespace, lease string) []string {
		board := grafana + "tms-lease?var-namespace=" + namespace + "&var-lease=tms-" + lease + " tms-lease "
		return []string{"TMSLeaseMetricsMissing" + board + "3", "TMSLeaseRequestsRejected" + board + "2", "TMSLeaseAtMaximum" + board + "1"}
	}
	rules := func(monitors string) (rule *monitoringv1.PrometheusRule) {
		for document := range mustRender(t, goPolicy, values, []byte(prometheus(monitors))).Documents() {
			if document.Kind == "PrometheusRule" {
				rule = new(monitoringv1.PrometheusRule)
				require.NoError(t, document.Decode(rule))
			}
		}
		return rule
	}
	require.Equal(t, of("inference", "resnet50"), links(rules("perLease")))
	require.Equal(t, append([]string{"TMSLeaseMetricsMissing" + grafana + "tms-fleet?var-namespace=inference tms-fleet "}, of("inference", "{{ $labels.tms_lease }}")...),
		links(rules("shared")))

	lr := leaseRenderer(t, controller, string(configuration(t, mustRender(t, goPolicy, values))), prometheus("perLease"))
	objects, err := lr.TritonLease(leaseIn("ns", "a", scaledBy()))
	require.NoError(t, err)
	require.Equal(t, of("ns", "a"), links(objects.PrometheusRule))
}
