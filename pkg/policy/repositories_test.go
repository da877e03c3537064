package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

func repositories(t testing.TB, text string) policy.ModelRepositories {
	t.Helper()
	var r policy.ModelRepositories
	require.NoError(t, yaml.Unmarshal([]byte(text), &r))
	return r
}

const someRepositories = `
https: [{secretName: a, targetUri: example.com}]
vision: {uri: "s3://https://minio.example.com:9000/models/", secretName: a, namespaces: [vision, research]}
image: {uri: "oci://example.com/a:1"}
folder: {uri: "oci://example.com/a:1//b"}
archives: {uri: "https://example.com/a", secretName: b}
text: {uri: "gs://text", secretName: c}
file: {uri: "as://a/b", secretName: d, credentialFile: f}
claim: {uri: "pvc://models"}`

func TestResolve(t *testing.T) {
	t.Parallel()
	r := repositories(t, someRepositories)
	for uri, want := range map[string]policy.ResolvedModel{
		"repo://vision":                       {URI: "s3://https://minio.example.com:9000/models/", Repository: "vision"},
		"repo://vision/":                      {URI: "s3://https://minio.example.com:9000/models/", Repository: "vision"},
		"repo://vision/a/b":                   {URI: "s3://https://minio.example.com:9000/models/a/b", Repository: "vision"},
		"repo://image":                        {URI: "oci://example.com/a:1", Repository: "image"},
		"repo://image/x":                      {URI: "oci://example.com/a:1//x", Repository: "image"},
		"repo://folder/x":                     {URI: "oci://example.com/a:1//b/x", Repository: "folder"},
		"repo://archives/m.zip#sha256=abcdef": {URI: "https://example.com/a/m.zip#sha256=abcdef", Repository: "archives"},
		"repo://archives#sha256=abcdef":       {URI: "https://example.com/a#sha256=abcdef", Repository: "archives"},
		"repo://claim/x":                      {URI: "pvc://models/x", Repository: "claim"},
		"repo://https/x":                      {URI: "repo://https/x"},
		"repo://visio":                        {URI: "repo://visio"},
		"s3://vision/x#y":                     {URI: "s3://vision/x#y"},
	} {
		require.Equal(t, want, r.Resolve(uri), uri)
	}
}

// TestStorage checks what the chart adds to the pod.
func TestStorage(t *testing.T) {
	t.Parallel()
	r := repositories(t, someRepositories)
	var models []v1alpha1.Model
	for _, uri := range []string{
		"repo://archives/a.zip", "pvc://b/x", "repo://claim", "pvc://b", "oci://a", "repo://text", "oci://b//c", "oci://a//d", "repo://file", "repo://archives/b.zip", "/mnt/x",
	} {
		models = append(models, v1alpha1.Model{URI: uri})
	}
	require.Equal(t, policy.Storage{
		Downloads: true, FetchCredentials: 2,
		Mounts: []policy.Mount{
			{Volume: "models-0", Path: "/mnt/models/b"},
			{Volume: "models-1", Path: "/mnt/models/models"},
			{Volume: "model-images-0", Path: "/mnt/model-images/0"},
			{Volume: "model-images-1", Path: "/mnt/model-images/1"},
			{Volume: "fetched-models", Path: "/mnt/fetched-models"},
			{Volume: "gs-credentials", Path: "/var/run/secrets/tms/gs-credentials", Secret: true},
			{Volume: "cloud-credentials", Path: "/var/run/secrets/tms/cloud-credentials", Secret: true},
		},
	}, r.Storage(r.ResolveAll(models)))
}

func TestImageVolumes(t *testing.T) {
	t.Parallel()
	models := []v1alpha1.Model{{Name: "a", URI: "oci://a"}}
	require.Empty(t, policy.ModelRepositories{}.CheckRepositories(spec, models, policy.RepositoryCheck{ImageVolumes: true}))
	reasons := policy.ModelRepositories{}.CheckRepositories(spec, models, policy.RepositoryCheck{})
	require.EqualError(t, reasons.ToAggregate(), `spec.models[0].uri: Invalid value: "oci://a": needs Kubernetes 1.33 or later, which mounts images as volumes`)
}

func TestAllowedModelURIs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		allowed          []string
		accepted, denied []string
	}{
		"all":              {[]string{"*"}, []string{"s3://a", "/a", "https://x/y"}, nil},
		"none":             {nil, nil, []string{"s3://a", "/a"}},
		"a scheme":         {[]string{"s3://", "repo://"}, []string{"s3://a/b", "repo://vision/a"}, []string{"gs://a", "/s3://a"}},
		"a bucket":         {[]string{"s3://a"}, []string{"s3://a", "s3://a/", "s3://a/b"}, []string{"s3://ab", "s3://a.b/c", "s3://b/s3://a"}},
		"a slash":          {[]string{"s3://a/"}, []string{"s3://a/b", "s3://a/"}, []string{"s3://a", "s3://ab"}},
		"a repository":     {[]string{"repo://vision"}, []string{"repo://vision", "repo://vision/a", "repo://vision#sha256=1"}, []string{"repo://vision-2/a"}},
		"a host":           {[]string{"https://Models.example.com/a"}, []string{"https://models.EXAMPLE.com/a/b.zip", "https://models.example.com/a#sha256=1"}, []string{"https://models.example.com/A/b", "https://models.example.com/ab", "https://models.example.com:8443/a", "https://models.example.com.evil.example/a"}},
		"a host, no path":  {[]string{"https://example.com"}, []string{"https://EXAMPLE.com/a"}, []string{"https://example.com.evil.example/a", "https://example.com:8443/a"}},
		"an image":         {[]string{"oci://example.com/a:1"}, []string{"oci://example.com/a:1", "oci://example.com/a:1//b"}, []string{"oci://example.com/a:12", "oci://example.com/a"}},
		"a path":           {[]string{"/opt/models"}, []string{"/opt/models/a"}, []string{"/opt/models-2", "/"}},
		"a digest of s3":   {[]string{"s3://a"}, nil, []string{"s3://a#/b"}},
		"several prefixes": {[]string{"s3://a", "s3://b"}, []string{"s3://b/c"}, []string{"s3://c"}},
	} {
		bounds := leaseBounds(t, policy.LeaseConfig{AllowedModelURIs: test.allowed})
		check := func(uri string) []string {
			return refusedFields(t, bounds.CheckRequest(spec, policy.LeaseRequest{Models: []v1alpha1.Model{{URI: uri}}}, nil), "server.leases.allowedModelUris allows")
		}
		for _, uri := range test.accepted {
			require.Empty(t, check(uri), "%s: %s", name, uri)
		}
		for _, uri := range test.denied {
			require.Equal(t, []string{"spec.models[0].uri"}, check(uri), "%s: %s", name, uri)
		}
	}
}

func TestNamespacesOfRepositories(t *testing.T) {
	t.Parallel()
	request := policy.LeaseRequest{
		Namespace: "research", Repositories: repositories(t, someRepositories),
		Models: []v1alpha1.Model{{URI: "repo://vision/a"}, {URI: "repo://text/a"}},
	}
	bounds := leaseBounds(t, policy.LeaseConfig{AllowedModelURIs: []string{"*"}})
	require.Empty(t, bounds.CheckRequest(spec, request, nil))
	request.Namespace = "speech"
	require.EqualError(t, bounds.CheckRequest(spec, request, nil).ToAggregate(),
		`spec.models[0].uri: Forbidden: a TritonLease of the namespace speech may not use "repo://vision/a": `+
			`server.modelRepositories.vision.namespaces allows vision, research; an administrator sets it in the values of the release`)
}

// TestCheckCredentials checks that a lease cannot read the credentials of repositories.
func TestCheckCredentials(t *testing.T) {
	t.Parallel()
	config := every()
	config.AllowedFields = append(config.AllowedFields, "volumeMounts")
	request := tritonRequest(t, `
volumeMounts: [{name: fetch-credentials-0, mountPath: /a}, {name: fetched-models, mountPath: /b}]
volumes: [{name: gs-credentials, emptyDir: {}}]
initContainers: [{name: fetch-models}, {name: x, volumeMounts: [{name: cloud-credentials, mountPath: /a}]}]
podTemplate: {spec: {
  containers: [{name: triton, volumeMounts: [{name: fetch-credentials-12, mountPath: /a}]}],
  initContainers: [{name: fetch-models, args: [x]}]}}`)
	paths := []string{
		"spec.triton.volumeMounts[0].name", "spec.triton.initContainers[1].volumeMounts[0].name", "spec.triton.volumes[0].name", "spec.triton.initContainers[0].name",
		"spec.triton.podTemplate.spec.containers[0].volumeMounts[0].name", "spec.triton.podTemplate.spec.initContainers[0].name",
	}
	require.Equal(t, paths, refusedFields(t, leaseBounds(t, config).CheckRequest(spec, request, policy.Allowlist{""}), "credentials"))
	config.AllowedFields = append(config.AllowedFields, "podTemplate.spec.initContainers")
	require.Equal(t, paths, refusedFields(t, leaseBounds(t, config).CheckRequest(spec, request, policy.Allowlist{""}), "credentials"))
}
