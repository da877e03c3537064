//go:build conform

package conform

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRenewal tests tms_request_rate, the series that renews a TritonLease. The lease does
// not scale, so this is its only series.
func TestRenewal(t *testing.T) {
	lease := []byte(`{apiVersion: tms.triton-leases.dev/v1alpha1, kind: TritonLease, metadata: {name: resnet50, namespace: inference},
  spec: {autoRenew: true, models: [{name: a, uri: /models}]}}`)
	own := sharedRules(t, "tms-resnet50", previewed(t, []byte(monitors("perLease")), lease))
	for _, form := range []form{
		ownForm("resnet50", own),
		sharedForm(t, "resnet50", "tms.inference.leases", previewed(t, nil, lease)), // the default
	} {
		require.Len(t, form.rules, 1)
		require.Len(t, form.rules["rules.yaml"].Groups, 1)
		folder := form.write(t)
		stdout, stderr, err := run(nil, tool(t, "promtool"), "check", "rules", "--lint=all", "--lint-fatal", folder+"/rules.yaml")
		require.NoError(t, err, "%s %s", stdout, stderr)
		test(t, folder, form.cases(t, read(t, "testdata/renewal/requests.test.yaml")))
	}
}
