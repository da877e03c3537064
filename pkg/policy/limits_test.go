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

// TestLeaseCounts: no further lease may be granted at a limit, and every limit that is
// reached is named.
func TestLeaseCounts(t *testing.T) {
	t.Parallel()
	bounds := leaseBounds(t, policy.LeaseConfig{Limits: policy.LimitsConfig{Leases: 10, LeasesPerNamespace: 4}})
	require.Empty(t, bounds.CheckCount("vision", 9, 3))
	require.Empty(t, leaseBounds(t, policy.LeaseConfig{}).CheckCount("vision", 1e6, 1e6), "no limits")
	refusal := bounds.CheckCount("vision", 10, 4)
	require.EqualError(t, refusal, `metadata.namespace: Forbidden: namespace vision must not have more granted TritonLeases than server.leases.limits.leasesPerNamespace (4); delete leases, or ask the administrator to raise the limit together with the memory of tms-server
metadata.namespace: Forbidden: the installation must not have more granted TritonLeases than server.leases.limits.leases (10); delete leases, or ask the administrator to raise the limit together with the memory of tms-server`)
	require.Len(t, bounds.CheckCount("vision", 10, 3), 1)
	require.Len(t, bounds.CheckCount("vision", 9, 4), 1)

	lease := &v1alpha1.TritonLease{Status: v1alpha1.TritonLeaseStatus{Refusals: refusal.Data()}}
	require.True(t, policy.RefusedByCount(lease))
	lease.Status.Granted = new(v1alpha1.Granted)
	require.False(t, policy.RefusedByCount(lease))
	require.False(t, policy.RefusedByCount(new(v1alpha1.TritonLease)))
}
