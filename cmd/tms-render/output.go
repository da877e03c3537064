package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
// does. All files are written under other names first, so that a failure leaves
// what was there as it was.
func writeFiles(folder string, documents []render.Document, out io.Writer) (err error) {
	texts := map[string]*bytes.Buffer{}
	var order []string
	for _, document := range documents {
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
		_, _ = fmt.Fprintf(out, "wrote %s\n", file)
	}
	return nil
}

// stage writes text beside the file that it will become, and returns its name.
func stage(file string, text []byte) (name string, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", fmt.Errorf("--output-dir: %w", err)
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
