package main

import (
	"fmt"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// name is the name of the image, and of the binary in it.
	name = "tms-server"
	// user is the user and group of the process. They are numbers: the kubelet checks
	// runAsNonRoot only for numbers.
	user = "65532:65532"
)

// image returns the image of a binary, with the license files of what is in it.
func image(b binary, texts *licenses) (v1.Image, error) {
	program, err := os.ReadFile(b.path)
	if err != nil {
		return nil, fmt.Errorf("reading the binary: %w", err)
	}
	baseLayer, err := layer(base()...)
	if err != nil {
		return nil, err
	}
	programLayer, err := layer(append(texts.files(), file{name, 0o755, program})...)
	if err != nil {
		return nil, err
	}

	created := v1.Time{Time: time.Unix(0, 0).UTC()}
	config := &v1.ConfigFile{
		Created:      created,
		OS:           b.platform.OS,
		Architecture: b.platform.Architecture,
		Config: v1.Config{
			User:       user,
			WorkingDir: "/",
			Entrypoint: []string{"/" + name},
			Labels:     annotations(b),
		},
		RootFS: v1.RootFS{Type: "layers"},
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, fmt.Errorf("setting the configuration: %w", err)
	}
	img, err = mutate.Append(img,
		mutate.Addendum{Layer: baseLayer, History: v1.History{Created: created, CreatedBy: "CA certificates, passwd"}},
		mutate.Addendum{Layer: programLayer, History: v1.History{Created: created, CreatedBy: "go build " + b.info.Path}},
	)
	if err != nil {
		return nil, fmt.Errorf("adding layers: %w", err)
	}
	return mutate.Annotations(img, annotations(b)).(v1.Image), nil
}

// annotations returns the OCI annotations of the image.
func annotations(b binary) map[string]string {
	all := map[string]string{
		"org.opencontainers.image.title":       name,
		"org.opencontainers.image.description": "Leases of Triton Inference Server on Kubernetes, at run time",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      "https://" + b.info.Main.Path,
	}
	if version := b.version(); version != "" {
		all["org.opencontainers.image.version"] = version
	}
	if revision := b.revision(); revision != "" {
		all["org.opencontainers.image.revision"] = revision
	}
	return all
}
