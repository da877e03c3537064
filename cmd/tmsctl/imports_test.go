package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImports checks that tmsctl stays small: it needs the kubeconfig and the port-forward of
// client-go, but not its clients of all Kubernetes APIs, and no Helm.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "connectrpc.com/connect\n")
	for _, large := range []string{"k8s.io/client-go/kubernetes", "k8s.io/client-go/informers", "k8s.io/client-go/dynamic", "k8s.io/api/apps/", "helm.sh/", "sigs.k8s.io/controller-runtime"} {
		require.NotContains(t, "\n"+string(out), "\n"+large, strings.TrimSuffix(large, "/"))
	}
}
