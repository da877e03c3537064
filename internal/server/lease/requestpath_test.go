package lease

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/fieldpath"
)

// TestRequestPath checks each row of requestPaths, and paths that have no row.
func TestRequestPath(t *testing.T) {
	t.Parallel()
	paths := map[string]string{
		"metadata.name":      "name",
		"metadata.namespace": "namespace",
		"spec.image":         "spec.triton_image",
		"spec.triton.resources.limits[nvidia.com/gpu]": "spec.resources.gpus",
		"spec.triton.resources.limits.nvidia.com/gpu":  "spec.resources.gpus",
		"spec.triton.resources.limits.memory":          "spec.resources.memory",
		"spec.triton.resources.limits":                 "spec.resources.gpus",
		"spec.triton.resources.requests.cpu":           "spec.resources.cpus",
		"spec.triton.resources.requests.memory":        "spec.resources.memory",
		"spec.triton.resources":                        "spec.resources",
		"spec.autoscaling.enable":                      "spec.autoscaling",
		"spec.autoscaling.replicas.minimum":            "spec.autoscaling.min_replicas",
		"spec.autoscaling.replicas.maximum":            "spec.autoscaling.max_replicas",
		"spec.autoscaling.replicas.schedule":           "spec.autoscaling.schedule",
		"spec.autoRenew":                               "spec.auto_renew",
	}
	require.Len(t, paths, len(requestPaths))
	var tested []string
	for path := range paths {
		tested = append(tested, fieldpath.Parse(path).String())
	}
	for _, r := range requestPaths {
		require.Contains(t, tested, r.lease.String())
	}
	for _, same := range []string{
		"", "spec", "spec.models[1].uri", "spec.duration", "spec.autoscaling.metrics.queueTime.threshold", "spec.images",
		"server.autoscaling.replicas.limits.maximum", "registry/metadata.name:1", "spec.triton.args[0]",
	} {
		paths[same] = same
	}
	paths["spec.autoscaling.replicas.schedule[1].timeZone"] = "spec.autoscaling.schedule[1].time_zone"
	paths["spec.autoscaling.replicas.schedule[1].minimum"] = "spec.autoscaling.schedule[1].minimum"
	for lease, request := range paths {
		require.Equal(t, request, requestPath(lease), lease)
	}
}
