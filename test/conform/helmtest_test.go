//go:build conform

package conform

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// TestHelmTestMessage runs the command of the pod of helm test, with a server on this
// machine instead of Triton.
func TestHelmTestMessage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/models/broken/") {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	run := func(values string) (string, error) {
		result, err := renderer(t).Render(release, []byte(values))
		require.NoError(t, err)
		var pod corev1.Pod
		for document := range result.Documents() {
			if document.Test {
				require.NoError(t, document.Decode(&pod))
			}
		}
		require.Len(t, pod.Spec.Containers, 1)
		container := pod.Spec.Containers[0]
		require.Equal(t, []string{"curl"}, container.Command)
		command := exec.CommandContext(t.Context(), "curl", container.Args...)
		for i, argument := range command.Args {
			command.Args[i] = strings.ReplaceAll(argument, "http://tms-a:8000", server.URL)
		}
		output, err := command.CombinedOutput()
		return string(output), err
	}
	output, err := run("leases: {a: {models: [{name: m, uri: /m}]}}")
	require.NoError(t, err, output)
	require.Empty(t, output)

	const leases = "leases: {a: {models: [{name: broken, uri: /m}, {name: m, uri: /m}]}}\n"
	output, err = run(leases)
	require.Error(t, err)
	require.Contains(t, output, server.URL+"/v2/models/broken/ready is not ready: The requested URL returned error: 400\n"+
		"See the pods: kubectl get pods --namespace inference --selector app.kubernetes.io/instance=tms,tms.triton-leases.dev/lease\n")
	require.NotContains(t, output, "networkPolicy")
	output, err = run(leases + "networkPolicy: {enabled: true, from: [{podSelector: {}}]}")
	require.Error(t, err)
	require.Contains(t, output, "let networkPolicy.from select pods with the label app.kubernetes.io/component: test\n")
}
