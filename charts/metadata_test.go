package charts_test

import (
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/pkg/render"
)

// metadata is the part of Chart.yaml that these tests read.
type metadata struct {
	Home, Icon, KubeVersion string
	Maintainers             []struct{ Name, URL string }
	Annotations             map[string]string
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	text, err := fs.ReadFile(charts.TMS(), name)
	require.NoError(t, err)
	return text
}

func chartMetadata(t *testing.T) metadata {
	t.Helper()
	var m metadata
	require.NoError(t, yaml.Unmarshal(file(t, "Chart.yaml"), &m))
	return m
}

// annotation decodes an annotation of Artifact Hub, which is a text in YAML.
func annotation[T any](t *testing.T, m metadata, name string) T {
	t.Helper()
	var value T
	require.NoError(t, yaml.UnmarshalStrict([]byte(m.Annotations["artifacthub.io/"+name]), &value), name)
	return value
}

// TestArtifactHub compares the annotations for Artifact Hub with the chart.
func TestArtifactHub(t *testing.T) {
	t.Parallel()
	m := chartMetadata(t)
	require.Equal(t, "true", m.Annotations["artifacthub.io/operator"], "server.enabled installs an operator")

	// Each image that is a default.
	var values struct{ Images map[string]any }
	require.NoError(t, yaml.Unmarshal(file(t, "values.yaml"), &values))
	wanted, listed := map[string]string{}, map[string]string{}
	for _, name := range []string{"triton", "server"} {
		if image := values.Images[name].(string); image != "" {
			wanted[image] = name
		}
	}
	for _, image := range annotation[[]struct{ Name, Image string }](t, m, "images") {
		listed[image.Image] = strings.TrimPrefix(image.Name, "tms-")
	}
	require.Equal(t, wanted, listed)

	var crd apiextensionsv1.CustomResourceDefinition
	require.NoError(t, yaml.Unmarshal(file(t, "files/tritonleases.yaml"), &crd))
	definitions := annotation[[]struct{ Kind, Version, Name, DisplayName, Description string }](t, m, "crds")
	require.Len(t, definitions, 1)
	require.Equal(t, crd.Spec.Names.Kind, definitions[0].Kind)
	require.Equal(t, crd.Name, definitions[0].Name)
	require.Equal(t, crd.Spec.Versions[0].Name, definitions[0].Version)

	for _, change := range annotation[[]struct{ Kind, Description string }](t, m, "changes") {
		require.Contains(t, []string{"added", "changed", "deprecated", "removed", "fixed", "security"}, change.Kind)
		require.Less(t, len(change.Description), 110, change.Description)
	}
}

// TestArtifactHubExample checks that the example of a TritonLease is granted what it asks for.
func TestArtifactHubExample(t *testing.T) {
	t.Parallel()
	r, err := render.New(render.Options{})
	require.NoError(t, err)
	var input render.Input
	require.NoError(t, input.Add([]byte("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}")))
	leases, err := r.LeaseRenderer(render.Release{Name: "tms", Namespace: "tms-system", Controller: true}, &input)
	require.NoError(t, err)
	examples := annotation[[]json.RawMessage](t, chartMetadata(t), "crdsExamples")
	require.NotEmpty(t, examples)
	for _, example := range examples {
		var lease v1alpha1.TritonLease
		require.NoError(t, yaml.UnmarshalStrict(example, &lease))
		granted, err := leases.GrantTritonLease(&lease)
		require.NoError(t, err)
		require.Empty(t, granted.Grant.Adjustments)
		require.Empty(t, granted.Grant.Warnings)
	}
}

// TestLinks checks that the links of Chart.yaml to this project name files that exist.
func TestLinks(t *testing.T) {
	t.Parallel()
	m := chartMetadata(t)
	links := annotation[[]struct{ Name, URL string }](t, m, "links")
	addresses := []string{m.Icon}
	for _, link := range links {
		addresses = append(addresses, link.URL)
	}
	for _, address := range addresses {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Contains(t, []string{"github.com", "raw.githubusercontent.com"}, u.Host)
		path, inProject := strings.CutPrefix(u.Path, "/triton-leases/tms/")
		require.True(t, inProject, address)
		parts := strings.Split(path, "/")
		if i := slices.Index(parts, "main"); i >= 0 {
			_, err := os.Stat(filepath.Join(append([]string{".."}, parts[i+1:]...)...))
			require.NoError(t, err, address)
		}
	}
	require.True(t, strings.HasSuffix(m.Icon, ".svg"))
	require.NotEmpty(t, m.Maintainers)
}
