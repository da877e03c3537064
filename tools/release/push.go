package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Artifact Hub reads an artifact of these types under the tag artifacthub.io.
const (
	artifactHubConfig types.MediaType = "application/vnd.cncf.artifacthub.config.v1+yaml"
	artifactHubLayer  types.MediaType = "application/vnd.cncf.artifacthub.repository-metadata.layer.v1.yaml"
)

// keychain reads the credentials that docker login or crane auth login saved. Helm reads
// them, too.
var keychain = remote.WithAuthFromKeychain(authn.DefaultKeychain)

// push pushes the image, the chart and the metadata for Artifact Hub to a registry, and
// returns the names of the image and of the chart with their digests. Sign these.
func (r release) push(registry string) ([]string, error) {
	image, err := r.pushImage(registry + "/tms-server:" + r.version)
	if err != nil {
		return nil, err
	}
	charts := registry + "/charts"
	if err := r.pushChart("helm3", charts); err != nil {
		return nil, err
	}
	reference, err := name.ParseReference(charts + "/tms:" + r.version)
	if err != nil {
		return nil, err
	}
	pushed, err := remote.Head(reference, keychain)
	if err != nil {
		return nil, fmt.Errorf("reading the digest of the chart: %w", err)
	}
	chart := reference.Context().Digest(pushed.Digest.String()).String()
	return []string{image, chart}, r.pushMetadata(charts + "/tms:artifacthub.io")
}

// image returns the index of the image in the release.
func (r release) image() (v1.ImageIndex, error) {
	path := filepath.Join(r.folder, layoutFolder)
	all, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("reading the image: %w", err)
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading the image: %w", err)
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s has %d entries, want one index", path, len(manifest.Manifests))
	}
	return all.ImageIndex(manifest.Manifests[0].Digest)
}

func (r release) pushImage(target string) (string, error) {
	reference, err := name.ParseReference(target)
	if err != nil {
		return "", err
	}
	index, err := r.image()
	if err != nil {
		return "", err
	}
	if err := remote.WriteIndex(reference, index, keychain); err != nil {
		return "", fmt.Errorf("pushing the image: %w", err)
	}
	digest, err := index.Digest()
	return reference.Context().Digest(digest.String()).String(), err
}

// pushChart pushes the package of the chart with a version of Helm.
func (r release) pushChart(helm, folder string) error {
	_, err := tool(helm, append([]string{"push", filepath.Join(r.folder, r.chartName()), "oci://" + folder}, plain(folder)...)...)
	return err
}

// plain returns the flag that Helm needs for a registry on this machine, without TLS.
func plain(target string) []string {
	if strings.HasPrefix(target, "127.0.0.1:") {
		return []string{"--plain-http"}
	}
	return nil
}

func (r release) pushMetadata(target string) error {
	reference, err := name.ParseReference(target)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(r.folder, artifactHub))
	if err != nil {
		return err
	}
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), artifactHubConfig)
	artifact, err = mutate.AppendLayers(artifact, static.NewLayer(text, artifactHubLayer))
	if err != nil {
		return err
	}
	if err := remote.Write(reference, artifact, keychain); err != nil {
		return fmt.Errorf("pushing the metadata for Artifact Hub: %w", err)
	}
	return nil
}
