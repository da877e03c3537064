package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// verifyRegistry pushes to a registry in this process, as push does for a release, and pulls
// the image and the chart again. Helm 3 and Helm 4 pull the chart, and Helm 4 pushes it, too.
func (r release) verifyRegistry() error {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://") + "/releases"

	pushed, err := r.push(address)
	if err != nil {
		return err
	}
	reference, err := name.NewDigest(pushed[0])
	if err != nil {
		return err
	}
	pulled, err := remote.Index(reference)
	if err != nil {
		return fmt.Errorf("pulling the image: %w", err)
	}
	// Index reads the manifest, and compares it with the digest.
	manifest, err := pulled.IndexManifest()
	if err != nil {
		return fmt.Errorf("pulling the image: %w", err)
	}
	for _, part := range manifest.Manifests {
		image, err := pulled.Image(part.Digest)
		if err != nil {
			return fmt.Errorf("pulling the image: %w", err)
		}
		layers, err := image.Layers()
		if err != nil {
			return fmt.Errorf("pulling the image: %w", err)
		}
		for _, layer := range layers {
			data, err := layer.Compressed() // fails on reading if the digest is another one
			if err != nil {
				return fmt.Errorf("pulling the image: %w", err)
			}
			_, err = io.Copy(io.Discard, data)
			if err := errors.Join(err, data.Close()); err != nil {
				return fmt.Errorf("pulling the image: %w", err)
			}
		}
	}
	if len(manifest.Manifests) != 4 {
		return fmt.Errorf("the image has %d manifests, want an image and an SBOM for each of two platforms", len(manifest.Manifests))
	}

	if err := r.pushChart("helm4", address+"/helm4"); err != nil {
		return err
	}
	for _, pull := range []struct{ helm, chart string }{
		{"helm3", address + "/charts/tms"},
		{"helm4", address + "/charts/tms"},
		{"helm3", address + "/helm4/tms"},
	} {
		if err := r.pullChart(pull.helm, pull.chart); err != nil {
			return err
		}
	}
	return r.pullMetadata(address + "/charts/tms:artifacthub.io")
}

// pullChart pulls the chart with a version of Helm, and compares it with the package.
func (r release) pullChart(helm, chart string) error {
	folder, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	arguments := []string{"pull", "oci://" + chart, "--version", r.version, "--destination", folder}
	if _, err := tool(helm, append(arguments, plain(chart)...)...); err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(folder, r.chartName()))
	if err != nil {
		return err
	}
	want, err := os.ReadFile(filepath.Join(r.folder, r.chartName()))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s pulls other bytes of %s than were pushed", helm, chart)
	}
	return nil
}

// pullMetadata compares the metadata for Artifact Hub in the registry with the file.
func (r release) pullMetadata(target string) error {
	reference, err := name.ParseReference(target)
	if err != nil {
		return err
	}
	artifact, err := remote.Image(reference)
	if err != nil {
		return fmt.Errorf("pulling the metadata for Artifact Hub: %w", err)
	}
	manifest, err := artifact.Manifest()
	if err != nil {
		return fmt.Errorf("pulling the metadata for Artifact Hub: %w", err)
	}
	if manifest.Config.MediaType != artifactHubConfig || len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != artifactHubLayer {
		return fmt.Errorf("the metadata for Artifact Hub has the wrong types: %+v", manifest)
	}
	layers, err := artifact.Layers()
	if err != nil {
		return err
	}
	data, err := layers[0].Compressed()
	if err != nil {
		return err
	}
	got, err := io.ReadAll(data)
	if err := errors.Join(err, data.Close()); err != nil {
		return err
	}
	want, err := os.ReadFile(filepath.Join(r.folder, artifactHub))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("the registry has other metadata for Artifact Hub")
	}
	return nil
}
