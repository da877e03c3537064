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

	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/pkg/render"
)

// writeJSON writes the documents as one List, which kubectl takes too.
func writeJSON(w io.Writer, documents []render.Document) error {
	list := struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
	}{APIVersion: "v1", Kind: "List", Items: []json.RawMessage{}}
	for _, document := range documents {
		item, err := yaml.YAMLToJSON([]byte(document.Text))
		if err != nil {
			return fmt.Errorf("%s: %w", document.Source, err)
		}
		list.Items = append(list.Items, item)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(list)
}

// writeFiles writes one file for each template, as helm template --output-dir
// does. All files are written under other names first, and only then take their
// places, so that a failure to write leaves what was there as it was. The file of
// a template that renders nothing any more is removed: what applies the folder
// would keep its objects alive.
func writeFiles(folder string, result *render.Result, out io.Writer) (err error) {
	texts := map[string]*bytes.Buffer{}
	var order []string
	for _, document := range result.Documents {
		if texts[document.Source] == nil {
			texts[document.Source] = new(bytes.Buffer)
			order = append(order, document.Source)
		}
		fmt.Fprintf(texts[document.Source], "---\n# Source: %s\n%s\n", document.Source, document.Text)
	}

	staged := map[string]string{}
	defer func() {
		for _, name := range staged {
			err = errors.Join(err, ignoreMissing(os.Remove(name)))
		}
	}()
	for _, template := range order {
		file := filepath.Join(folder, filepath.FromSlash(template))
		if staged[file], err = stage(file, texts[template].Bytes()); err != nil {
			return err
		}
	}
	for _, template := range order {
		file := filepath.Join(folder, filepath.FromSlash(template))
		if err := os.Rename(staged[file], file); err != nil {
			return fmt.Errorf("--output-dir: %w", err)
		}
		delete(staged, file)
	}
	for _, template := range order {
		_, _ = fmt.Fprintf(out, "wrote %s\n", filepath.Join(folder, filepath.FromSlash(template)))
	}
	return removeStale(folder, result.Chart, texts, out)
}

// removeStale removes the files that an earlier run wrote for templates of the
// chart that have no text now. Only a file that says so of itself is one of them.
func removeStale(folder, chart string, texts map[string]*bytes.Buffer, out io.Writer) error {
	return filepath.WalkDir(filepath.Join(folder, chart), func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("--output-dir: %w", err)
		}
		relative, err := filepath.Rel(folder, file)
		if err != nil {
			return fmt.Errorf("--output-dir: %w", err)
		}
		template := filepath.ToSlash(relative)
		if texts[template] != nil || !writtenFor(file, template) {
			return nil
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("--output-dir: %w", err)
		}
		_, _ = fmt.Fprintf(out, "removed %s\n", file)
		return nil
	})
}

// writtenFor says whether a file begins as those that are written for a template.
func writtenFor(file, template string) bool {
	text, err := os.ReadFile(file)
	return err == nil && bytes.HasPrefix(text, []byte("---\n# Source: "+template+"\n"))
}

// stage writes text beside the file that it will become, and returns its name.
func stage(file string, text []byte) (name string, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", fmt.Errorf("--output-dir: %w", err)
	}
	if info, err := os.Lstat(file); err == nil && info.IsDir() {
		return "", fmt.Errorf("--output-dir: %s is a directory", file)
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return "", fmt.Errorf("--output-dir: %w", err)
	}
	_, err = temporary.Write(text)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Close())
	if err != nil {
		return temporary.Name(), fmt.Errorf("--output-dir: %w", err)
	}
	return temporary.Name(), nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
