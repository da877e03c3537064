package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/triton-leases/tms/pkg/render"
)

// writeFiles writes one file for each template, as helm template --output-dir
// does. It writes all files under temporary names before it renames them, so that a
// write error leaves the existing files unchanged. It removes the file of a template
// that no longer renders anything: applying the folder would create its objects again.
func writeFiles(folder string, result *render.Result, out io.Writer) (err error) {
	stage := stage{folder: folder, files: map[string]*os.File{}}
	defer func() { err = errors.Join(err, stage.discard()) }()
	if err := result.WriteEach(stage.open); err != nil {
		return fmt.Errorf("--output-dir: %w", err)
	}
	if err := stage.commit(out); err != nil {
		return fmt.Errorf("--output-dir: %w", err)
	}
	if err := removeStale(folder, result.Chart, stage.templates, out); err != nil {
		return fmt.Errorf("--output-dir: %w", err)
	}
	return nil
}

// removeStale removes the files that an earlier run wrote for templates that render nothing
// now. It recognizes them by their first lines, and keeps all other files.
func removeStale(folder, chart string, written []string, out io.Writer) error {
	return filepath.WalkDir(filepath.Join(folder, chart), func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, file)
		if err != nil {
			return err
		}
		template := filepath.ToSlash(relative)
		if slices.Contains(written, template) || !writtenFor(file, template) {
			return nil
		}
		if err := os.Remove(file); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "removed %s\n", file)
		return nil
	})
}

// writtenFor reports whether a file begins with the lines that writeFiles writes for a
// template.
func writtenFor(name, template string) bool {
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	wanted := "---\n# Source: " + template + "\n"
	begin := make([]byte, len(wanted))
	_, err = io.ReadFull(file, begin)
	return err == nil && string(begin) == wanted
}
