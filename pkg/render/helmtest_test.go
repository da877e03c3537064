package render_test

import (
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
