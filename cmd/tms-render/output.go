package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/pkg/render"
)

// writeJSON writes the documents as one List, which kubectl takes too.
func writeJSON(w io.Writer, result *render.Result) error {
	list := struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
	}{APIVersion: "v1", Kind: "List", Items: []json.RawMessage{}}
	for document := range result.Documents() {
		item, err := yaml.YAMLToJSON([]byte(document.Text))
		if err != nil {
			return fmt.Errorf("%s: %w", document.Source, err)
		}
		list.Items = append(list.Items, item)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(list); err != nil {
		return err
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// writeFiles writes one file for each template, as helm template --output-dir
// does. All files are written under other names first, and only then take their
// places, so that a failure to write leaves what was there as it was. The file of
// a template that renders nothing any more is removed: what applies the folder
// would keep its objects alive.
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

// removeStale removes the files that an earlier run wrote for templates of the
// chart that have no text now. Only a file that says so of itself is one of them.
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

// writtenFor says whether a file begins as those that are written for a template.
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
