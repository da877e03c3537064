package v1alpha1_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, milliseconds := range map[v1alpha1.Duration]int64{
		"15s": 15_000, "1m": 60_000, "1m30s": 90_000, "1h2m3s4ms": 3_723_004, "010s": 10_000, "500ms": 500, "": 0, "1d": 0, "1s1m": 0,
	} {
		require.Equal(t, milliseconds, text.Value().Milliseconds(), string(text))
		require.Equal(t, milliseconds > 0, text.Valid(), string(text))
	}
	require.True(t, v1alpha1.Duration("0s").Valid())
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for workload, target := range map[string]v1alpha1.Target{
		"apps Deployment triton":     {Name: "triton"},
		"apps StatefulSet triton":    {Name: "triton", APIVersion: "apps/v1", Kind: "StatefulSet"},
		"argoproj.io Rollout triton": {Name: "triton", APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout"},
		" Pod triton":                {Name: "triton", APIVersion: "v1", Kind: "Pod"},
	} {
		require.Equal(t, workload, target.Workload())
		require.Equal(t, workload == "apps Deployment triton", target.IsDeployment())
	}
}

// TestMap checks that a lease becomes a map without the keys that it does not set.
func TestMap(t *testing.T) {
	t.Parallel()
	lease := v1alpha1.LeaseSpec{
		Models: []v1alpha1.Model{{Name: "m", URI: "/models"}},
		Triton: &v1alpha1.Triton{Resources: v1alpha1.Resources{Limits: map[string]v1alpha1.RawJSON{"nvidia.com/gpu": v1alpha1.Raw(1)}}},
	}
	value, err := lease.Map()
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"models": []any{map[string]any{"name": "m", "uri": "/models"}},
		"triton": map[string]any{"resources": map[string]any{"limits": map[string]any{"nvidia.com/gpu": 1.0}}},
	}, value)
}

func TestSentences(t *testing.T) {
	t.Parallel()
	require.Equal(t, "spec.duration: asked 7200s, granted 3600s (server.leases.duration.maximum)", v1alpha1.Adjustment{
		Field: "spec.duration", Asked: 7200, Granted: 3600, Unit: "s", Limit: "server.leases.duration.maximum",
	}.String())
	require.Equal(t, "a: default 5, granted 2 (b)", v1alpha1.Adjustment{Field: "a", Asked: 5, Default: true, Granted: 2, Limit: "b"}.String())
	require.Equal(t, "a: ignored", v1alpha1.Warning{Field: "a", Message: "ignored"}.String())
}
