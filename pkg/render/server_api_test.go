package render_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// withAPI returns values that install tms-server with its API.
func withAPI(tls string) []byte {
	return []byte(`{server: {enabled: true, apiService: {enabled: true, tls: ` + tls + `}}, images: {server: "registry.example.com/tms-server:0.1.0"}}`)
}

// apiObjects are the objects that serve the API.
type apiObjects struct {
	service     corev1.Service
	pods        corev1.PodSpec
	policy      networkingv1.NetworkPolicy
	allowlist   corev1.ConfigMap
	certificate map[string]any
}

func apiOf(t testing.TB, result *render.Result) apiObjects {
	t.Helper()
	var a apiObjects
	for document := range result.Documents() {
		switch document.Source {
		case "tms/templates/server/service.yaml":
			require.NoError(t, document.Decode(&a.service))
		case "tms/templates/server/networkpolicy.yaml":
			require.NoError(t, document.Decode(&a.policy))
		case "tms/templates/server/certificate.yaml":
			require.NoError(t, yaml.Unmarshal([]byte(document.Text), &a.certificate))
		case "tms/templates/server/deployment.yaml":
			var deployment appsv1.Deployment
			require.NoError(t, document.Decode(&deployment))
			a.pods = deployment.Spec.Template.Spec
		case "tms/templates/server/allowlist.yaml":
			if document.Kind == "ConfigMap" {
				require.NoError(t, document.Decode(&a.allowlist))
			}
		}
	}
	return a
}

// TestAPICertificate checks the certificate, the flags of tms-server, and the appProtocol
// of the Service for each way to configure TLS.
func TestAPICertificate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ tls, secret, protocol string }{
		"secret":       {`{secretName: mine}`, "mine", "https"},
		"cert-manager": {`{certManager: {issuerRef: {name: company}}}`, "tms-server-tls", "https"},
		"plain":        {`{enabled: false}`, "", "kubernetes.io/h2c"},
	} {
		t.Run(name, func(t *testing.T) {
			made := apiOf(t, mustRender(t, goPolicy, withAPI(test.tls)))
			args := strings.Join(made.pods.Containers[0].Args, "\n")
			require.Equal(t, test.secret == "", strings.Contains(args, "--insecure-no-tls"))
			require.Equal(t, test.protocol, *made.service.Spec.Ports[0].AppProtocol)
			if test.secret == "" {
				require.NotContains(t, args, "--tls")
				require.Len(t, made.pods.Volumes, 1)
			} else {
				require.Equal(t, test.secret, made.pods.Volumes[1].Secret.SecretName)
				mount := made.pods.Containers[0].VolumeMounts[1]
				require.Equal(t, made.pods.Volumes[1].Name, mount.Name)
				require.Contains(t, args, "--tls-cert-file="+mount.MountPath+"/tls.crt\n--tls-private-key-file="+mount.MountPath+"/tls.key")
			}
			require.Equal(t, name == "cert-manager", made.certificate != nil)
			if made.certificate != nil {
				require.Equal(t, test.secret, made.certificate["spec"].(map[string]any)["secretName"])
			}
		})
	}
}

// TestAPIPort checks that the Service, the container and the NetworkPolicy agree on the
// port.
func TestAPIPort(t *testing.T) {
	t.Parallel()
	made := apiOf(t, mustRender(t, goPolicy, withAPI("{enabled: false}")))
	port := made.service.Spec.Ports[0]
	require.Equal(t, int32(30345), port.Port)
	require.Zero(t, port.NodePort)
	container := made.pods.Containers[0]
	require.Contains(t, container.Args, "--api-bind-address=:30345")
	require.Contains(t, container.Ports, corev1.ContainerPort{Name: port.TargetPort.StrVal, ContainerPort: 30345})
	require.Equal(t, port.TargetPort, *made.policy.Spec.Ingress[0].Ports[1].Port)

	// The node port equals the port, as in NVIDIA TMS. The container port is fixed.
	made = apiOf(t, mustRender(t, goPolicy, withAPI("{enabled: false}"), []byte("server: {apiService: {type: NodePort, port: 30000}}")))
	require.Equal(t, int32(30000), made.service.Spec.Ports[0].Port)
	require.Equal(t, int32(30000), made.service.Spec.Ports[0].NodePort)
	require.Contains(t, made.pods.Containers[0].Args, "--api-bind-address=:30345")
}

// TestHelmKeepsAllowlist checks that Helm neither overwrites nor deletes the images that
// users add to the allowlist.
func TestHelmKeepsAllowlist(t *testing.T) {
	t.Parallel()
	made := apiOf(t, mustRender(t, goPolicy, withAPI("{enabled: false}")))
	require.Equal(t, "tms-server-allowlist", made.allowlist.Name)
	require.Nil(t, made.allowlist.Data)
	require.Nil(t, made.allowlist.BinaryData)
	require.Nil(t, made.allowlist.Immutable)
	require.Equal(t, "keep", made.allowlist.Annotations["helm.sh/resource-policy"])
	require.Contains(t, made.pods.Containers[0].Args, "--allowlist=inference/"+made.allowlist.Name)
}

// TestAPIWithoutDefault removes each default of the API, and checks that the result is
// refused, or is valid and as secure as before.
func TestAPIWithoutDefault(t *testing.T) {
	t.Parallel()
	var defaults map[string]any
	require.NoError(t, yaml.Unmarshal(read(t, "../../charts/tms/values.yaml"), &defaults))
	below := defaults["server"].(map[string]any)["apiService"].(map[string]any)
	refused := map[string]bool{}
	for _, path := range paths(below) {
		where := strings.Join(path, ".")
		removed := []byte("server: {apiService: {" + strings.Join(path, ": {") + ": null" + strings.Repeat("}", len(path)+1))
		for _, tls := range []string{"{}", "{secretName: mine}", "{certManager: {issuerRef: {name: company}}}"} {
			result, err := goPolicy.Render(release, withAPI(tls), removed)
			var refusal policy.Refusal
			if errors.As(err, &refusal) {
				refused[where] = refused[where] || tls == "{secretName: mine}"
				continue
			}
			require.NoError(t, err, where)
			require.True(t, where == "enabled" || tls != "{}", where)
			decodesStrictly(t, result)
			if where != "enabled" {
				require.NotContains(t, apiOf(t, result).pods.Containers[0].Args, "--insecure-no-tls", where)
			}
		}
	}
	for where, was := range refused {
		require.Equal(t, where == "port" || where == "tls" || where == "tls.secretName", was, where)
	}
}

// TestAPIDisabled checks that a values file of NVIDIA TMS that configures the Service does
// not enable the API, and that the keys are reported.
func TestAPIDisabled(t *testing.T) {
	t.Parallel()
	for text, warnings := range map[string][]string{
		"{port: 30345, type: NodePort}":  {"type"},
		"{port: 30346, type: ClusterIP}": {"port"},
		"{port: 31000, type: NodePort}":  {"type", "port"},
		"{port: null, type: null}":       nil,
		"null":                           nil,
	} {
		result := mustRender(t, goPolicy, []byte("server: {apiService: "+text+"}"))
		var wanted []string
		for _, key := range warnings {
			wanted = append(wanted, "server.apiService."+key+": has no effect while server.apiService.enabled is false")
		}
		require.Equal(t, wanted, result.Warnings, text)
		require.Zero(t, apiOf(t, result))
	}
}

// TestOnlyOmitsAPI checks that Input.Only removes the API, and the warnings about it.
func TestOnlyOmitsAPI(t *testing.T) {
	t.Parallel()
	var input render.Input
	require.NoError(t, input.Add(withAPI("{secretName: mine}")))
	require.NoError(t, input.Add([]byte("server: {apiService: {type: NodePort}}\nleases: {a: {models: [{name: m, uri: /m}]}}\n")))
	require.NoError(t, input.Only("a"))
	result, err := goPolicy.RenderInput(release, &input)
	require.NoError(t, err)
	require.Empty(t, result.Warnings)
	require.Zero(t, apiOf(t, result))
}
