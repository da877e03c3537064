package render_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/triton-leases/tms/pkg/render"
)

// testPods returns the container of each pod of helm test, by the name of the pod.
func testPods(t testing.TB, result *render.Result) map[string]corev1.Container {
	t.Helper()
	containers := map[string]corev1.Container{}
	for document := range result.Documents() {
		if !document.Test {
			continue
		}
		var pod corev1.Pod
		require.NoError(t, document.Decode(&pod))
		require.Equal(t, "hook-failed", pod.Annotations["helm.sh/hook-output-log-policy"])
		require.Len(t, pod.Spec.Containers, 1, "helm test --logs reads pods of one container only")
		containers[pod.Name] = pod.Spec.Containers[0]
	}
	return containers
}

// urls returns the arguments that are URLs.
func urls(c corev1.Container) []string {
	var all []string
	for _, argument := range c.Args {
		if strings.HasPrefix(argument, "http") {
			all = append(all, argument)
		}
	}
	return all
}

// TestHelmTest checks what helm test asks: each Triton with a replica, each of its models,
// and the API.
func TestHelmTest(t *testing.T) {
	t.Parallel()
	leases := []byte(`
leases:
  all: {models: [{name: "*", uri: /models}]}
  none: {models: [{name: m, uri: /models}], triton: {replicas: 0}}
  scaled: {models: [{name: m, uri: /models}], triton: {replicas: 0}, autoscaling: {enable: true}}
  target: {target: {name: legacy, selector: {app: triton}}}
  two: {models: [{name: a, uri: "s3://b"}, {name: B_c-1.2, uri: "s3://b"}]}
server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}
`)
	for _, r := range []*render.Renderer{goPolicy, chartPolicy} {
		pods := testPods(t, mustRender(t, r, leases))
		require.Len(t, pods, 1)
		require.Equal(t, []string{
			"http://tms-all:8000/v2/health/ready",
			"http://tms-scaled:8000/v2/health/ready", "http://tms-scaled:8000/v2/models/m/ready",
			"http://tms-two:8000/v2/health/ready", "http://tms-two:8000/v2/models/a/ready", "http://tms-two:8000/v2/models/B_c-1.2/ready",
		}, urls(pods["tms-test"]))

		require.Empty(t, testPods(t, mustRender(t, r, []byte("leases: {a: {models: [{name: m, uri: /m}], triton: {replicas: 0}}}"))))
		api := []byte("server: {apiService: {port: 443}}")
		require.Equal(t, []string{"check-api", "http://tms-server.inference.svc:443"},
			testPods(t, mustRender(t, r, withAPI("{enabled: false}"), api))["tms-server-test"].Args)
		require.Equal(t, []string{"check-api", "https://tms-server.inference.svc:443"},
			testPods(t, mustRender(t, r, withAPI("{secretName: mine}"), api))["tms-server-test"].Args)
	}
}

// TestHelmTestMessage runs the command of the pod of helm test, with a server on this
// machine instead of Triton.
func TestHelmTestMessage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/models/broken/") {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	run := func(values string) (string, error) {
		pod := testPods(t, mustRender(t, goPolicy, []byte(values)))["tms-test"]
		require.Equal(t, []string{"curl"}, pod.Command)
		command := exec.CommandContext(t.Context(), "curl", pod.Args...)
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
