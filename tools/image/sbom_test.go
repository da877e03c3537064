package main

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	reference "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

func TestSBOMNamesTheModules(t *testing.T) {
	images(t, func(t *testing.T, platform v1.Platform, img v1.Image) {
		text, err := os.ReadFile(given(t) + "-" + platform.Architecture + ".cdx.json")
		require.NoError(t, err)
		var bom cyclonedx.BOM
		require.NoError(t, cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(&bom))

		info := readInfo(t, img)
		require.Equal(t, info.Main.Path, bom.Metadata.Component.Name)
		certificates, err := required(authorities)
		require.NoError(t, err)
		want := map[string]string{"std": info.GoVersion, authorities: certificates}
		for _, module := range info.Deps {
			if module.Replace != nil {
				module = module.Replace
			}
			want[module.Path] = module.Version
		}
		require.Greater(t, len(want), 2)

		got := map[string]string{}
		for _, component := range *bom.Components {
			got[component.Name] = component.Version
			require.NotEmpty(t, *component.Licenses, component.Name)
			for _, choice := range *component.Licenses {
				require.NotEmpty(t, choice.License.ID, component.Name)
			}
		}
		require.Equal(t, "Apache-2.0", (*bom.Metadata.Component.Licenses)[0].License.ID)
		require.Equal(t, want, got)
		require.Len(t, *bom.Components, len(want), "no duplicates")
	})
}

// TestNameReplaced checks that a module that is replaced by a folder has its own name.
func TestNameReplaced(t *testing.T) {
	const folder = "pkg:golang/../@(devel)?type=module"
	bom := &cyclonedx.BOM{
		Components: &[]cyclonedx.Component{
			{Name: "../", BOMRef: folder, PackageURL: folder},
			{Name: "example.com/fork", BOMRef: "pkg:golang/example.com/fork@v1.0.0"},
		},
		Dependencies: &[]cyclonedx.Dependency{{Ref: "main", Dependencies: &[]string{folder}}, {Ref: folder}},
	}
	nameReplaced(bom, &debug.BuildInfo{Deps: []*debug.Module{
		{Path: "example.com/main", Replace: &debug.Module{Path: "../", Version: "(devel)"}},
		{Path: "example.com/original", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.0"}},
	}})
	const named = "pkg:golang/example.com/main@(devel)?type=module"
	require.Equal(t, cyclonedx.Component{Name: "example.com/main", BOMRef: named, PackageURL: named}, (*bom.Components)[0])
	require.Equal(t, "example.com/fork", (*bom.Components)[1].Name, "the fork is what the program has")
	require.Equal(t, []cyclonedx.Dependency{{Ref: "main", Dependencies: &[]string{named}}, {Ref: named}}, *bom.Dependencies)
}

// TestRegistryShowsSBOM pushes the image as crane does, and lists its referrers in the
// registry.
func TestRegistryShowsSBOM(t *testing.T) {
	silent := registry.Logger(log.New(io.Discard, "", 0))
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), silent))
	defer server.Close()
	repository, err := reference.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/tms-server")
	require.NoError(t, err)
	index, err := read(given(t))
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(repository.Tag("test"), index))

	images(t, func(t *testing.T, platform v1.Platform, img v1.Image) {
		digest, err := img.Digest()
		require.NoError(t, err)
		referrers, err := remote.Referrers(repository.Digest(digest.String()))
		require.NoError(t, err)
		manifest, err := referrers.IndexManifest()
		require.NoError(t, err)
		require.Len(t, manifest.Manifests, 1)

		artifact, err := remote.Image(repository.Digest(manifest.Manifests[0].Digest.String()))
		require.NoError(t, err)
		attached, err := artifact.Manifest()
		require.NoError(t, err)
		require.Equal(t, "application/vnd.cyclonedx+json", attached.ArtifactType)
		subject, err := partial.Descriptor(img)
		require.NoError(t, err)
		require.Equal(t, subject.Digest, attached.Subject.Digest)
		require.Equal(t, subject.Size, attached.Subject.Size)
		require.Equal(t, subject.MediaType, attached.Subject.MediaType)

		layers, err := artifact.Layers()
		require.NoError(t, err)
		require.Len(t, layers, 1)
		data, err := layers[0].Compressed()
		require.NoError(t, err)
		defer func() { _ = data.Close() }()
		got, err := io.ReadAll(data)
		require.NoError(t, err)
		want, err := os.ReadFile(given(t) + "-" + platform.Architecture + ".cdx.json")
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}
