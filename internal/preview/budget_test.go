package preview_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBudget checks that the GPU budget of each namespace is divided between the leases of
// the files: by age, and then by name.
func TestBudget(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: tms.triton-leases.dev/v1alpha1\nkind: TritonLease\n"
	const spec = "spec: {models: [{name: m, uri: /m}], triton: {replicas: 4, resources: {limits: {nvidia.com/gpu: 1}}}}\n"
	lease := func(metadata string) string { return "---\n" + head + "metadata: " + metadata + "\n" + spec }
	values := []byte(`server: {leases: {budget: {namespaces: {vision: {gpus: 5}}}}}`)
	manifests := lease("{name: a, namespace: vision}") + lease("{name: b, namespace: vision, creationTimestamp: 2026-01-01T00:00:00Z}") + lease("{name: free}")

	result, err := previewOf(t, nil, values, []byte(manifests))
	require.NoError(t, err)
	require.Equal(t, []string{
		"vision/a: spec.triton.replicas: asked 4, granted 1 (server.leases.budget.namespaces.vision.gpus: 4 of 5 GPUs are used by b (4))",
		"server.leases.budget.namespaces.vision.gpus: 5 GPUs for the leases of the namespace vision; leases in the cluster are not known here and count, too",
	}, result.Warnings)
	require.Contains(t, printed(t, result), "replicas: 1\n")

	_, err = previewOf(t, nil, values, []byte(manifests+lease("{name: c, namespace: vision}")))
	require.ErrorContains(t, err, "vision/c: spec.triton.resources.limits: Forbidden: 1 GPUs (1 for each of 1 replicas) do not fit in the budget of the namespace, "+
		"server.leases.budget.namespaces.vision.gpus: 5 of 5 GPUs are used by b (4), a (1)")
}
