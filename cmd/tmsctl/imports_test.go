package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImports checks that tmsctl stays small: it needs no client of the Kubernetes API, and
// no Helm.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "connectrpc.com/connect\n")
	for _, large := range []string{"k8s.io/client-go", "helm.sh/", "sigs.k8s.io/controller-runtime", "k8s.io/api/"} {
		require.NotContains(t, "\n"+string(out), "\n"+large, strings.TrimSuffix(large, "/"))
	}
}
