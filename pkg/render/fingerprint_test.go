package render_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// TestFingerprint checks that leases have equal fingerprints exactly if their manifests are
// equal, also between renderers of different configurations.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	const scales = `autoscaling: {enable: true, metrics: {queueTime: {enabled: true, allowed: true}}}`
	renderers := map[string]*render.LeaseRenderer{}
	for name, values := range map[string]string{
		"base":         `server: {` + scales + `}`,
		"other limits": `server: {` + scales + `, leases: {limits: {gpus: 7}}}`, // manifests do not show it
		"behavior":     `server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true, allowed: true}}, behavior: {scaleDown: {stabilizationWindowSeconds: 7}}}}`,
	} {
		renderers[name] = controllerOf(t, values)
	}
	const spec = "models: [{name: %s, uri: s3://models/m}]\nautoscaling: {enable: true, replicas: {maximum: %d}}"
	leases := []*v1alpha1.TritonLease{
		tritonLease(t, "team", fmt.Sprintf(spec, "vision", 2)), tritonLease(t, "team", fmt.Sprintf(spec, "vision", 3)),
		tritonLease(t, "team", fmt.Sprintf(spec, "speech", 2)), tritonLease(t, "team", fmt.Sprintf(spec, "vision", 99)),
	}
	type manifest struct{ fingerprint, text any }
	var all []manifest
	for _, lr := range renderers {
		for _, lease := range leases {
			granted, err := lr.GrantTritonLease(lease)
			require.NoError(t, err)
			fingerprint, err := lr.Fingerprint(granted)
			require.NoError(t, err)
			result, err := lr.Manifests(granted)
			require.NoError(t, err)
			all = append(all, manifest{fingerprint, printed(t, result)})
		}
	}
	distinct := 0
	for i, a := range all {
		for _, b := range all[:i] {
			require.Equal(t, a.text == b.text, a.fingerprint == b.fingerprint)
			if a.text != b.text {
				distinct++
			}
		}
	}
	require.Less(t, distinct, len(all)*(len(all)-1)/2, "some are equal")
	require.Positive(t, distinct)
}
