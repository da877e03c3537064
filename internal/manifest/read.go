// Package manifest reads TritonLeases as people write them, and as kubectl prints
// them, for a preview without an API server: what that would say of a manifest is
// said here.
package manifest

import (
	"fmt"
	"strings"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/source"
)

// Manifest is one TritonLease of a file.
type Manifest struct {
	value     map[string]any
	positions *source.Positions
	// at is where it stands in its document, such as items[3], and empty where it
	// is the document.
	at string
}

const (
	kind     = "TritonLease"
	listKind = kind + "List"
)

// Read returns the TritonLeases of a file: documents, and the items of lists. The
// error is a source.SyntaxErrors with everything that is something else.
func Read(text []byte) ([]*Manifest, error) {
	documents, err := source.Documents(text)
	if err != nil {
		return nil, err
	}
	var r reader
	for _, document := range documents {
		r.read(&Manifest{value: document.Value, positions: document.Positions})
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return r.found, nil
}

type reader struct {
	found    []*Manifest
	problems source.SyntaxErrors
}

func (r *reader) fail(m *Manifest, path, message string) {
	line, column := m.Place(path)
	r.problems = append(r.problems, source.SyntaxError{Line: line, Column: column, Message: message})
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
		r.fail(m, "kind", fmt.Sprintf("kind: %v is not rendered here: a file holds values, or manifests of the kind %s", say(m.value["kind"]), kind))
	}
}

// version refuses a manifest of another version than the one that there is.
func (r *reader) version(m *Manifest, wanted string) bool {
	has, given := m.value["apiVersion"]
	if has == wanted {
		return true
	}
	if !given || has == nil {
		r.fail(m, "apiVersion", fmt.Sprintf("apiVersion: is missing: must be %s", wanted))
	} else {
		r.fail(m, "apiVersion", fmt.Sprintf("apiVersion: %v: must be %s", say(has), wanted))
	}
	return false
}

// items reads what is in a list. Those of a TritonLeaseList need not say what they are.
func (r *reader) items(m *Manifest, ofKind bool) {
	items, isList := m.value["items"].([]any)
	if !isList && m.value["items"] != nil {
		r.fail(m, "items", "items: must be a list")
	}
	for i, item := range items {
		inner := &Manifest{positions: m.positions, at: m.path(fmt.Sprintf("items[%d]", i))}
		var isObject bool
		if inner.value, isObject = item.(map[string]any); !isObject {
			r.fail(inner, "", inner.at+": must be a manifest")
			continue
		}
		if ofKind && inner.value["kind"] == nil && inner.value["apiVersion"] == nil {
			r.found = append(r.found, inner)
			continue
		}
		r.read(inner)
	}
}

// Place returns the line and the column of a path of the TritonLease, or of the
// part of it that there is.
func (m *Manifest) Place(path string) (line, column int) {
	line, column, _ = m.positions.Place(m.path(path))
	return line, column
}

func (m *Manifest) path(path string) string {
	return strings.Trim(m.at+"."+path, ".")
}

// say returns what stands in a place where a word is expected.
func say(value any) any {
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
