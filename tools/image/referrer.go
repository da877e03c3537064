package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	cycloneDX   types.MediaType = "application/vnd.cyclonedx+json"
	emptyConfig types.MediaType = "application/vnd.oci.empty.v1+json"
)

// A referrer is an artifact of OCI 1.1: a manifest with one layer that refers to another
// manifest, its subject.
type referrer struct {
	manifest []byte
	layer    v1.Layer
}

// refer returns an artifact that attaches an SBOM to an image. The library has no type for
// artifacts, so it is an image with an empty configuration.
func refer(sbom []byte, subject v1.Image) (v1.Image, error) {
	layer := static.NewLayer(sbom, cycloneDX)
	layerDescriptor, err := partial.Descriptor(layer)
	if err != nil {
		return nil, fmt.Errorf("describing the SBOM: %w", err)
	}
	subjectDescriptor, err := partial.Descriptor(subject)
	if err != nil {
		return nil, fmt.Errorf("describing the image: %w", err)
	}
	subjectDescriptor.ArtifactType, subjectDescriptor.Annotations = "", nil // a subject needs only what identifies it

	r := referrer{layer: layer}
	config, _ := r.RawConfigFile()
	digest, size, err := v1.SHA256(bytes.NewReader(config))
	if err != nil {
		return nil, fmt.Errorf("describing an empty configuration: %w", err)
	}
	r.manifest, err = json.Marshal(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  string(cycloneDX),
		Config:        v1.Descriptor{MediaType: emptyConfig, Size: size, Digest: digest},
		Layers:        []v1.Descriptor{*layerDescriptor},
		Subject:       subjectDescriptor,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the manifest of the SBOM: %w", err)
	}
	return partial.CompressedToImage(r)
}

func (r referrer) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

func (r referrer) RawManifest() ([]byte, error) { return r.manifest, nil }

func (r referrer) RawConfigFile() ([]byte, error) { return []byte("{}"), nil }

func (r referrer) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	if own, err := r.layer.Digest(); err != nil || own != digest {
		return partial.ConfigLayer(r)
	}
	return r.layer, nil
}
