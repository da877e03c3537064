// Package preview renders TritonLeases from files, as tms-server would in a cluster:
// it checks each manifest as the API server would, grants it within the values of the
// installation, and renders it.
package preview

import (
	"fmt"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/valuesfile"
)

// Manifest is one TritonLease of a file.
type Manifest struct {
	// File is an index that the caller gives its files.
	File int

	value     map[string]any
	positions *valuesfile.Positions
	// at is the path of the manifest in its document, such as items[3]; it is empty if
	// the document is the manifest.
	at fieldpath.Path
}

const (
	kind     = "TritonLease"
	listKind = kind + "List"
)

// Read returns the TritonLeases of a file: its documents, and the items of lists. The
// error is a valuesfile.SyntaxErrors that names everything else.
func Read(file int, text []byte) ([]*Manifest, error) {
	documents, err := valuesfile.ReadManifests(text)
	if err != nil {
		return nil, err
	}
	var r reader
	for _, document := range documents {
		r.read(&Manifest{File: file, value: document.Value, positions: document.Positions})
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return r.found, nil
}

type reader struct {
	found    []*Manifest
	problems valuesfile.SyntaxErrors
}

func (r *reader) fail(m *Manifest, path fieldpath.Path, message string) {
	line, column := m.position(path)
	r.problems = append(r.problems, valuesfile.SyntaxError{Line: line, Column: column, Message: message})
}

func (r *reader) read(m *Manifest) {
	switch m.value["kind"] {
	case kind:
		if r.version(m, v1alpha1.GroupVersion.String()) {
			r.found = append(r.found, m)
		}
	case listKind:
		if r.version(m, v1alpha1.GroupVersion.String()) {
			r.items(m, true)
		}
	case "List":
		if r.version(m, "v1") {
			r.items(m, false)
		}
	default:
		r.fail(m, fieldpath.New("kind"), fmt.Sprintf("kind: %v is not rendered here: a file holds values, or manifests of the kind %s", describe(m.value["kind"]), kind))
	}
}

// version reports whether a manifest has the wanted version, and refuses it if not.
func (r *reader) version(m *Manifest, wanted string) bool {
	has, given := m.value["apiVersion"]
	if has == wanted {
		return true
	}
	if !given || has == nil {
		r.fail(m, fieldpath.New("apiVersion"), fmt.Sprintf("apiVersion: is missing: must be %s", wanted))
	} else {
		r.fail(m, fieldpath.New("apiVersion"), fmt.Sprintf("apiVersion: %v: must be %s", describe(has), wanted))
	}
	return false
}

// items reads the items of a list. Those of a TritonLeaseList need no kind.
func (r *reader) items(m *Manifest, ofKind bool) {
	items, isList := m.value["items"].([]any)
	if !isList && m.value["items"] != nil {
		r.fail(m, fieldpath.New("items"), "items: must be a list")
	}
	for i, item := range items {
		inner := &Manifest{File: m.File, positions: m.positions, at: m.at.Child(fieldpath.Key("items"), fieldpath.Index(i))}
		var isObject bool
		if inner.value, isObject = item.(map[string]any); !isObject {
			r.fail(inner, nil, inner.at.String()+": must be a manifest")
			continue
		}
		if ofKind && inner.value["kind"] == nil && inner.value["apiVersion"] == nil {
			r.found = append(r.found, inner)
			continue
		}
		r.read(inner)
	}
}

// position returns the line and the column of a path of the TritonLease, or of the part
// of it that the file has.
func (m *Manifest) position(path fieldpath.Path) (line, column int) {
	line, column, _ = m.positions.Locate(m.at.Child(path...))
	return line, column
}

// describe returns what to print of a value that should be a string.
func describe(value any) any {
	switch value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	case nil:
		return "null"
	default:
		return value
	}
}
