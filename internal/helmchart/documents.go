package helmchart

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// Document is one rendered document.
type Document struct {
	// Source is the path of its template, such as tms/templates/hpa.yaml.
	Source string
	// Text is the document without separators and surrounding white space.
	Text string
	// Kind is the kind of the object.
	Kind string
	// Hook reports whether it is a hook, which is not part of the release.
	Hook bool
	// Test reports whether it is a hook that helm test runs.
	Test bool
}

// Decode decodes the document into a typed object. It is strict: the error names the path
// of a field that the type does not have, or has in another case.
func (d Document) Decode(object any) error {
	text, err := yaml.YAMLToJSONStrict([]byte(d.Text))
	if err != nil {
		return fmt.Errorf("%s: %w", d.Source, err)
	}
	unknown, err := json.UnmarshalStrict(text, object)
	if err = errors.Join(append(unknown, err)...); err != nil {
		return fmt.Errorf("%s: decode %s: %w", d.Source, d.Kind, err)
	}
	return nil
}

// Sort returns the documents of rendered templates in the order in which helm template
// prints them: by kind, in the order of installation, and hooks last. It parses each
// document as Helm does, and works for any chart.
func Sort(rendered map[string]string) ([]Document, error) {
	hooks, manifests, err := releaseutil.SortManifests(rendered, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	documents := make([]Document, 0, len(manifests)+len(hooks))
	for _, m := range manifests {
		documents = append(documents, Document{Source: m.Name, Text: m.Content, Kind: m.Head.Kind})
	}
	return append(documents, hookDocuments(hooks)...), nil
}

func hookDocuments(hooks []*release.Hook) []Document {
	documents := make([]Document, len(hooks))
	for i, h := range hooks {
		documents[i] = Document{
			Source: h.Path, Text: h.Manifest, Kind: h.Kind,
			Hook: true, Test: slices.Contains(h.Events, release.HookTest),
		}
	}
	return documents
}

// Split splits the text of a template into documents, at lines that begin with "---", as
// Helm does.
func Split(text string) []string {
	var documents []string
	text = strings.TrimPrefix(strings.TrimSpace(text), "---")
	for document := range strings.SplitSeq(text, "\n---") {
		if document = strings.TrimSpace(document); document != "" {
			documents = append(documents, document)
		}
	}
	return documents
}

// Compare compares documents by hook, kind and template. A stable sort with Compare gives
// the order of Sort, without parsing. Kinds that Helm does not know come last, by name.
func Compare(a, b Document) int {
	if a.Hook != b.Hook {
		if b.Hook {
			return -1
		}
		return 1
	}
	if a.Kind != b.Kind {
		rankA, rankB := rank(a.Kind), rank(b.Kind)
		if rankA != rankB {
			return rankA - rankB
		}
		return strings.Compare(a.Kind, b.Kind)
	}
	return strings.Compare(a.Source, b.Source)
}

func rank(kind string) int {
	if i := slices.Index(releaseutil.InstallOrder, kind); i >= 0 {
		return i
	}
	return len(releaseutil.InstallOrder)
}
