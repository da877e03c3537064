package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// build writes the image of a command as an OCI layout to target, and the tar and the
// SBOMs beside it. It returns the digest of the index of all platforms.
func build(s sources, target string) (v1.Hash, error) {
	target = filepath.Clean(target) // "a/b/" would be its own parent.
	if err := replaceable(target); err != nil {
		return v1.Hash{}, err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return v1.Hash{}, fmt.Errorf("making the folder of the layout: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(target), ".image-")
	if err != nil {
		return v1.Hash{}, fmt.Errorf("making a folder to work in: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()

	bundle, err := certificatesComponent()
	if err != nil {
		return v1.Hash{}, err
	}
	// The SBOMs are in the index, so that tools that copy the image also copy them. Their
	// platform is unknown, so that no machine pulls them as images.
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var images, sboms []mutate.IndexAddendum
	var labels map[string]string
	for _, platform := range platforms() {
		b, err := s.compile(platform, work)
		if err != nil {
			return v1.Hash{}, err
		}
		labels = annotations(b)
		found, err := s.licenses(b, authorities)
		if err != nil {
			return v1.Hash{}, err
		}
		img, err := image(b, found)
		if err != nil {
			return v1.Hash{}, err
		}
		text, err := sbom(b, found, bundle)
		if err != nil {
			return v1.Hash{}, err
		}
		artifact, err := refer(text, img)
		if err != nil {
			return v1.Hash{}, err
		}
		if err := write(target+"-"+platform.Architecture+".cdx.json", text); err != nil {
			return v1.Hash{}, err
		}
		images = append(images, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &platform}})
		unknown := &v1.Platform{OS: "unknown", Architecture: "unknown"}
		sboms = append(sboms, mutate.IndexAddendum{Add: artifact, Descriptor: v1.Descriptor{Platform: unknown}})
	}
	index = mutate.AppendManifests(index, append(images, sboms...)...)
	index = mutate.Annotations(index, labels).(v1.ImageIndex)

	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("making the index: %w", err)
	}
	fresh := filepath.Join(work, "layout")
	if err := writeLayout(fresh, index); err != nil {
		return v1.Hash{}, err
	}
	if err := os.RemoveAll(target); err != nil {
		return v1.Hash{}, fmt.Errorf("removing the existing layout: %w", err)
	}
	if err := os.Rename(fresh, target); err != nil {
		return v1.Hash{}, fmt.Errorf("moving the layout into place: %w", err)
	}
	return digest, tarLayout(target)
}

// replaceable returns an error if target exists and is not an OCI layout: build must not
// remove it.
func replaceable(target string) error {
	entries, err := os.ReadDir(target)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for an existing layout: %w", err)
	}
	if _, err := os.Stat(filepath.Join(target, "oci-layout")); err != nil {
		return fmt.Errorf("%s exists, and is not an OCI layout", target)
	}
	return nil
}

// writeLayout writes a layout with one index. Its name is latest, because some tools need
// a name. The push gives the image its real tag.
func writeLayout(target string, index v1.ImageIndex) error {
	path, err := layout.Write(target, mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return fmt.Errorf("writing the layout: %w", err)
	}
	latest := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "latest"})
	if err := path.AppendIndex(index, latest); err != nil {
		return fmt.Errorf("writing the layout: %w", err)
	}
	return nil
}

// tarLayout writes a layout as a tar beside it.
func tarLayout(target string) (err error) {
	var files []file
	root := os.DirFS(target)
	err = fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, path)
		files = append(files, file{path, 0o644, data})
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the layout: %w", err)
	}

	archive, err := os.Create(target + ".oci.tar")
	if err != nil {
		return fmt.Errorf("making the tar of the layout: %w", err)
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	return writeTar(archive, files)
}

func write(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}
