package main

import (
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// program writes the command for a platform, and the licenses of its modules, into the folder
// target, and its SBOM beside it.
func (s sources) program(platform, target string) error {
	parsed, err := v1.ParsePlatform(platform)
	if err != nil || parsed.OS == "" || parsed.Architecture == "" {
		return fmt.Errorf("-platform %q: must be OS/ARCH, such as linux/amd64", platform)
	}
	if err := vacant(target); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "image-")
	if err != nil {
		return fmt.Errorf("making a folder to work in: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	b, err := s.compile(*parsed, work)
	if err != nil {
		return err
	}
	found, err := s.licenses(b)
	if err != nil {
		return err
	}
	text, err := sbom(b, found)
	if err != nil {
		return err
	}

	data, err := os.ReadFile(b.path)
	if err != nil {
		return fmt.Errorf("reading the binary: %w", err)
	}
	for _, f := range append(found.files(), file{filepath.Base(b.path), 0o755, data}) {
		if f.data == nil {
			continue // a folder
		}
		path := filepath.Join(target, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		if err := os.WriteFile(path, f.data, os.FileMode(f.mode)); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	return write(filepath.Clean(target)+".cdx.json", text)
}
