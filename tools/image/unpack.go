package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// unpack writes the files of the image for Linux on this machine's architecture to target.
func unpack(source, target string) error {
	index, err := read(source)
	if err != nil {
		return err
	}
	img, err := choose(index, v1.Platform{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		return fmt.Errorf("in %s: %w", source, err)
	}

	if err := vacant(target); err != nil {
		return err
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("creating the target folder: %w", err)
	}
	root, err := os.OpenRoot(target)
	if err != nil {
		return fmt.Errorf("opening the target folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	return extract(img, root)
}

// vacant returns an error if target exists and is not an empty folder.
func vacant(target string) error {
	entries, err := os.ReadDir(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the target folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty", target)
	}
	return nil
}

// read reads the index of all platforms from a layout that build wrote.
func read(source string) (v1.ImageIndex, error) {
	all, err := layout.ImageIndexFromPath(source)
	if err != nil {
		return nil, fmt.Errorf("reading the layout: %w", err)
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading the layout: %w", err)
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s has %d entries, want one index", source, len(manifest.Manifests))
	}
	index, err := all.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	return index, nil
}

// choose returns the image for a platform.
func choose(index v1.ImageIndex, platform v1.Platform) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	for _, descriptor := range manifest.Manifests {
		if descriptor.Platform != nil && descriptor.Platform.Satisfies(platform) {
			img, err := index.Image(descriptor.Digest)
			if err != nil {
				return nil, fmt.Errorf("reading the image for %s: %w", platform, err)
			}
			return img, nil
		}
	}
	return nil, fmt.Errorf("no image for %s", platform)
}

// extract writes the files of an image into a folder. It cannot write outside of it.
func extract(img v1.Image, root *os.Root) error {
	stream := mutate.Extract(img)
	defer func() { _ = stream.Close() }()
	archive := tar.NewReader(stream)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the layers: %w", err)
		}
		if err := extractOne(root, header, archive); err != nil {
			return fmt.Errorf("unpacking %s: %w", header.Name, err)
		}
	}
}

func extractOne(root *os.Root, header *tar.Header, data io.Reader) error {
	path, mode := filepath.Clean(header.Name), header.FileInfo().Mode().Perm()
	// mutate.Extract yields upper layers first: their folders may be in lower ones.
	if err := root.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		if err := root.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case tar.TypeReg:
		f, err := root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, data)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	default:
		return errors.New("not a file or folder")
	}
	return root.Chmod(path, mode) // the umask may have removed bits
}
