// Package preview renders TritonLeases from files, as tms-server would in a cluster: it
// validates each manifest as the API server would, grants it with the values of the
// release, and renders it.
package preview

import (
	"cmp"
	"fmt"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/valuesfile"
)

// Manifest is one TritonLease of a file.
type Manifest struct {
	// File is the index that the caller passed to Read.
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

// Read returns the TritonLeases of a file: its documents, and the items of lists. Other
// manifests are an error: a valuesfile.SyntaxErrors that names each of them.
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
		r.fail(m, fieldpath.New("kind"), fmt.Sprintf("kind: %v is not supported: a file holds values or TritonLeases", describe(m.value["kind"])))
	}
}

// version reports whether a manifest has the wanted apiVersion. It adds an error if not.
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

// items reads the items of a list. If ofKind is true, the list is a TritonLeaseList, and
// its items may omit apiVersion and kind.
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

// LeaseName returns the namespace and name of the TritonLease, as in inference/resnet50.
// namespace is that of a TritonLease without one.
func (m *Manifest) LeaseName(namespace string) string {
	metadata := subMap(m.value, "metadata")
	if own, _ := metadata["namespace"].(string); own != "" {
		namespace = own
	}
	name, _ := metadata["name"].(string)
	return namespace + "/" + cmp.Or(name, "?")
}

// Set sets a key of the TritonLease, as in spec.duration=1h, as helm's --set does.
func (m *Manifest) Set(argument string) error { return helmchart.Set.Apply(m.value, argument, nil) }

// Position returns the line and column of a key of the TritonLease, such as spec.duration.
func (m *Manifest) Position(key string) (line, column int) {
	return m.position(fieldpath.Parse(key))
}

// position returns the line and column of a path in the TritonLease, or of the longest
// prefix of the path that the file has.
func (m *Manifest) position(path fieldpath.Path) (line, column int) {
	line, column, _ = m.positions.Locate(m.at.Child(path...))
	return line, column
}

// describe returns how to print a value that should be a string.
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
