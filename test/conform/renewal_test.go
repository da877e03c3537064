//go:build conform

package conform

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
)

// TestRenewal tests tms_request_rate, the series that renews a TritonLease. The lease does
// not scale, so this is its only series.
func TestRenewal(t *testing.T) {
	lease := []byte(`{apiVersion: tms.triton-leases.dev/v1alpha1, kind: TritonLease, metadata: {name: resnet50, namespace: inference},
  spec: {autoRenew: true, models: [{name: a, uri: /models}]}}`)
	for document := range previewed(t, nil, lease).Documents() {
		if document.Kind == "PrometheusRule" {
			var rule monitoringv1.PrometheusRule
			require.NoError(t, document.Decode(&rule))
			require.Len(t, rule.Spec.Groups, 1)
			folder := writeRules(t, rule.Spec)
			stdout, stderr, err := run(nil, tool(t, "promtool"), "check", "rules", "--lint=all", "--lint-fatal", folder+"/rules.yaml")
			require.NoError(t, err, "%s %s", stdout, stderr)
			test(t, folder, read(t, "testdata/renewal/requests.test.yaml"))
			return
		}
	}
	require.Fail(t, "no PrometheusRule")
}
