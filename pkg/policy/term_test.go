package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

func TestTerm(t *testing.T) {
	t.Parallel()
	duration := func(d v1alpha1.Duration) *v1alpha1.Duration { return &d }
	is := func(b bool) *bool { return &b }
	for name, test := range map[string]struct {
		config  policy.LeaseConfig
		request policy.TermRequest
		want    v1alpha1.Term
		message string
		refused string
	}{
		"the defaults":                  {config: terms("24h", "168h", true), want: v1alpha1.Term{Duration: "24h", AutoRenew: true}},
		"within the bounds":             {config: terms("24h", "168h", true), request: policy.TermRequest{Duration: duration("30m"), AutoRenew: is(false)}, want: v1alpha1.Term{Duration: "30m"}},
		"too long":                      {config: terms("1h", "2h", true), request: policy.TermRequest{Duration: duration("240m")}, want: v1alpha1.Term{Duration: "2h", AutoRenew: true}, message: "spec.duration: asked 14400s, granted 7200s (server.leases.duration.maximum)"},
		"without an end":                {config: terms("1h", "2h", true), request: policy.TermRequest{Duration: duration("0s")}, want: v1alpha1.Term{Duration: "2h", AutoRenew: true}, message: "spec.duration: asked 0s, granted 7200s (server.leases.duration.maximum)"},
		"without an end and a limit":    {config: terms("1h", "0s", true), request: policy.TermRequest{Duration: duration("0s")}, want: v1alpha1.Term{Duration: "0s", AutoRenew: true}},
		"a very long duration":          {config: terms("1h", "0s", true), request: policy.TermRequest{Duration: duration("9999h")}, want: v1alpha1.Term{Duration: "9999h", AutoRenew: true}},
		"renewal is not allowed":        {config: terms("1h", "2h", false), request: policy.TermRequest{AutoRenew: is(false)}, refused: "spec.autoRenew: Forbidden: a lease may not turn automatic renewal off (server.leases.autoRenew.allowed is false)"},
		"not a duration":                {config: terms("1h", "2h", true), request: policy.TermRequest{Duration: duration("1 day")}, refused: `spec.duration: Invalid value: "1 day": must be a duration such as 30m or 8h`},
		"naming the default is allowed": {config: terms("1h", "2h", false), request: policy.TermRequest{AutoRenew: is(true)}, want: v1alpha1.Term{Duration: "1h", AutoRenew: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := policy.NewLeaseBounds(test.config, "1m")
			require.NoError(t, err)
			term, adjustments, err := all.GrantTerm(field.NewPath("spec"), test.request)
			if test.refused != "" {
				require.EqualError(t, err, test.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, term)
			if test.message == "" {
				require.Empty(t, adjustments)
				return
			}
			require.Len(t, adjustments, 1)
			require.Equal(t, test.message, adjustments[0].String())
		})
	}
}

func terms(standard, maximum v1alpha1.Duration, allowed bool) policy.LeaseConfig {
	return policy.LeaseConfig{
		Duration:  policy.DurationBounds{Default: standard, Maximum: maximum},
		AutoRenew: policy.RenewalBounds{Default: true, Allowed: allowed, Interval: "1h"},
	}
}

func TestInterval(t *testing.T) {
	t.Parallel()
	all, err := policy.NewLeaseBounds(terms("1h", "2h", true), "1m")
	require.NoError(t, err)
	require.Equal(t, time.Hour, all.Interval())
}

func TestTermsInvalid(t *testing.T) {
	t.Parallel()
	config := terms("3h", "2h", true)
	config.AutoRenew.Interval = "30s"
	_, err := policy.NewLeaseBounds(config, "1m")
	require.EqualError(t, err, `server.leases.duration.default: Invalid value: "3h": must not exceed server.leases.duration.maximum (2h)
server.leases.autoRenew.interval: Invalid value: "30s": must be at least server.autoscaling.prometheus.rateWindow (1m)`)

	_, err = policy.NewLeaseBounds(terms("0s", "2h", true), "1m")
	require.EqualError(t, err, `server.leases.duration.default: Invalid value: "0s": must be longer than 0s, which means no expiry, because server.leases.duration.maximum is 2h`)
}

func TestAllowlist(t *testing.T) {
	t.Parallel()
	list := policy.Allowlist{"triton:1", "triton@sha256:0"}
	path := field.NewPath("leases", "a")
	require.NoError(t, list.Check(path, ""))
	require.NoError(t, list.Check(path, "triton@sha256:0"))
	require.EqualError(t, list.Check(path, "triton:10"), `leases.a.image: Forbidden: image "triton:10" is not allowed: it must be images.triton or in server.allowlist`)
}
