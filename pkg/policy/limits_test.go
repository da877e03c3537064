package policy_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// leaseBounds returns the bounds of a configuration, with durations that are valid.
func leaseBounds(t testing.TB, config policy.LeaseConfig) *policy.LeaseBounds {
	t.Helper()
	config.Duration, config.AutoRenew = terms("1h", "2h", true).Duration, terms("1h", "2h", true).AutoRenew
	bounds, err := policy.NewLeaseBounds(config, "1m")
	require.NoError(t, err)
	return bounds
}

func TestGrantReplicas(t *testing.T) {
	t.Parallel()
	spec := field.NewPath("spec")
	bounds := leaseBounds(t, policy.LeaseConfig{Limits: policy.LimitsConfig{Replicas: 10}})
	for _, n := range []int64{0, 1, 10} {
		granted, adjustments := bounds.GrantReplicas(spec, n, false)
		require.Equal(t, n, granted)
		require.Empty(t, adjustments)
	}
	granted, adjustments := bounds.GrantReplicas(spec, 11, false)
	require.EqualValues(t, 10, granted)
	require.Equal(t, "spec.triton.replicas: asked 11, granted 10 (server.leases.limits.replicas)", adjustments[0].String())
	granted, adjustments = bounds.GrantReplicas(spec, math.MaxInt64, true)
	require.EqualValues(t, 10, granted)
	require.Equal(t, "spec.triton.replicas: default 9223372036854775807, granted 10 (server.leases.limits.replicas)", adjustments[0].String())
}

func messages(reasons field.ErrorList) []string {
	var all []string
	for _, reason := range reasons {
		all = append(all, reason.Error())
	}
	return all
}

func TestLeaseLimits(t *testing.T) {
	t.Parallel()
	config := terms("1h", "2h", true)
	config.Limits = policy.LimitsConfig{Replicas: 3, GPUs: 4, CPU: v1alpha1.Raw(16), Memory: v1alpha1.Raw("1024Mi")}
	bounds, err := policy.NewLeaseBounds(config, "1m")
	require.NoError(t, err)
	require.Equal(t, v1alpha1.Limits{Replicas: 3, GPUs: 4, CPU: "16", Memory: "1Gi"}, bounds.Limits())
	require.Equal(t, v1alpha1.Limits{}, leaseBounds(t, policy.LeaseConfig{}).Limits())

	config.Limits.CPU, config.Limits.Memory = v1alpha1.Raw("4x"), v1alpha1.Raw(true)
	_, err = policy.NewLeaseBounds(config, "1m")
	require.EqualError(t, err, `server.leases.limits.cpu: Invalid value: "\"4x\"": must be a quantity such as 16 or 128Gi
server.leases.limits.memory: Invalid value: "true": must be a quantity such as 16 or 128Gi`)
}
