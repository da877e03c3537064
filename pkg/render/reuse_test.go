package render_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/pkg/render"
)

// TestReuseShapes checks that a LeaseRenderer that uses the shapes of an earlier one grants and
// renders by its own configuration.
func TestReuseShapes(t *testing.T) {
	t.Parallel()
	lease := tritonLease(t, "team", "models: [{name: vision, uri: /m}]\ntriton: {resources: {limits: {nvidia.com/gpu: 2}}}\nautoscaling: {enable: true, replicas: {maximum: 4}}")
	const metrics = `enable: true, metrics: {queueTime: {enabled: true}}`
	before := controllerOf(t, `server: {autoscaling: {`+metrics+`}}`)
	granted, err := before.GrantTritonLease(lease)
	require.NoError(t, err)
	first, err := before.Fingerprint(granted)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		values, refusal string
		reuses          bool // the templates read the same values
	}{
		"the same":             {values: `server: {autoscaling: {` + metrics + `}}`, reuses: true},
		"lower limit of GPUs":  {values: `server: {autoscaling: {` + metrics + `}, leases: {limits: {gpus: 1}}}`, refusal: "server.leases.limits.gpus", reuses: true},
		"higher limit of GPUs": {values: `server: {autoscaling: {` + metrics + `}, leases: {limits: {gpus: 9}}}`, reuses: true},
		"lower maximum":        {values: `server: {autoscaling: {` + metrics + `, replicas: {default: {maximum: 3}, limits: {maximum: 3}}}}`, reuses: true},
		"another threshold":    {values: `server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true, threshold: {default: 70000}}}}}`, reuses: true},
		"another behavior":     {values: `server: {autoscaling: {` + metrics + `, behavior: {scaleDown: {stabilizationWindowSeconds: 7}}}}`},
		"other defaults":       {values: `{server: {autoscaling: {` + metrics + `}}, triton: {args: [--log-verbose=1]}}`},
		"another metric":       {values: `server: {autoscaling: {enable: true, metrics: {waitingRequests: {enabled: true}}}}`, reuses: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fresh, reusing := controllerOf(t, test.values), controllerOf(t, test.values)
			reusing.ReuseShapes(before)
			require.Equal(t, test.reuses, render.SameShapes(before, reusing))
			for range 2 { // the bounds of before and of reusing judge in turn
				want, wantErr := fresh.GrantTritonLease(lease)
				got, gotErr := reusing.GrantTritonLease(lease)
				if test.refusal != "" {
					require.ErrorContains(t, gotErr, test.refusal)
					require.Equal(t, wantErr, gotErr)
				} else {
					require.NoError(t, wantErr)
					require.NoError(t, gotErr)
					require.Equal(t, manifests(t, fresh, want), manifests(t, reusing, got))
				}
				again, err := before.GrantTritonLease(lease)
				require.NoError(t, err)
				same, err := before.Fingerprint(again)
				require.NoError(t, err)
				require.Equal(t, first, same)
			}
		})
	}
}

func manifests(t *testing.T, lr *render.LeaseRenderer, granted *render.GrantedLease) string {
	t.Helper()
	result, err := lr.Manifests(granted)
	require.NoError(t, err)
	return printed(t, result)
}
