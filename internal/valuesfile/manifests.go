package valuesfile

import (
	"bytes"
	"errors"
	"io"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	yamlv4 "go.yaml.in/yaml/v4"
	"sigs.k8s.io/yaml"
)

// useSeparateFiles is the advice of messages about a file of values and manifests.
const useSeparateFiles = "put values and manifests in separate files, and give each file with -f"

// Manifest is one YAML document of a file of manifests.
type Manifest struct {
	Value     map[string]any
	Positions *Positions
}

// ReadManifests returns the documents of a file of manifests, without empty ones. It
// splits the file as kubectl does, and refuses the keys and numbers that Read refuses.
// The error is a SyntaxErrors with the errors of all documents.
func ReadManifests(text []byte) ([]Manifest, error) {
	var manifests []Manifest
	var problems SyntaxErrors
	linesBefore := 0 // before the document
	for _, part := range split(string(text)) {
		manifest, err := readManifest(part, linesBefore)
		var found SyntaxErrors
		switch {
		case errors.As(err, &found):
			problems = append(problems, found...)
		case err != nil:
			return nil, err
		case manifest != nil:
			manifests = append(manifests, *manifest)
		}
		linesBefore += strings.Count(part, "\n")
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return manifests, nil
}

// split splits a text before each line that begins a document.
func split(text string) []string {
	var parts []string
	start := 0
	for at := 0; at < len(text); at = nextLine(text, at) {
		marker, ok := strings.CutPrefix(text[at:nextLine(text, at)], "---")
		if ok && at > start && (marker == "" || strings.ContainsRune(" \t\r\n", rune(marker[0]))) {
			parts = append(parts, text[start:at])
			start = at
		}
	}
	return append(parts, text[start:])
}

// readManifest reads a document that begins after the given number of lines. It
// returns nil, nil if the document is empty.
func readManifest(text string, linesBefore int) (*Manifest, error) {
	root, err := parse(text)
	if err != nil {
		problems := syntaxErrors(err, []byte(text))
		for i := range problems {
			if problems[i].Line > 0 {
				problems[i].Line += linesBefore
			}
		}
		return nil, problems
	}
	if root == nil || isEmpty(root) {
		return nil, nil
	}
	shift(root, linesBefore)
	atStart := func(message string) SyntaxErrors {
		return SyntaxErrors{{Line: root.Content[0].Line, Column: root.Content[0].Column, Message: message}}
	}
	if root.Content[0].Kind != yamlv4.MappingNode {
		return nil, atStart("a manifest must be a mapping of keys to values")
	}
	if !isManifestNode(root) {
		return nil, atStart("not a manifest, which needs apiVersion and kind: " + useSeparateFiles)
	}
	if problems := check(root, nil); len(problems) > 0 {
		return nil, problems.sorted()
	}
	manifest := &Manifest{Positions: newPositions(root.Content[0])}
	if err := yaml.Unmarshal([]byte(text), &manifest.Value); err != nil {
		return nil, atStart(plainMessage(err))
	}
	return manifest, nil
}

// parse returns the syntax tree of a text with at most one document, or nil if it has no
// document.
func parse(text string) (*yamlv4.Node, error) {
	decoder := yamlv4.NewDecoder(bytes.NewReader([]byte(text)))
	var first, next yamlv4.Node
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	switch err := decoder.Decode(&next); {
	case errors.Is(err, io.EOF) || err == nil && isEmpty(&next):
		return &first, nil
	case err != nil:
		return nil, err
	default:
		return nil, SyntaxErrors{{Line: next.Line, Column: next.Column, Message: "a document begins here without a --- line before it"}}
	}
}

// shift adds lines to the line numbers of a node and of all nodes below it.
func shift(node *yamlv4.Node, lines int) {
	if lines == 0 {
		return
	}
	node.Line += lines
	for _, child := range node.Content {
		shift(child, lines)
	}
}

// isManifestNode is isManifest for a parsed document.
func isManifestNode(document *yamlv4.Node) bool {
	if len(document.Content) == 0 || document.Content[0].Kind != yamlv4.MappingNode {
		return false
	}
	var keys mapping
	for i, node := range document.Content[0].Content {
		if i%2 == 0 {
			keys = append(keys, yamlv2.MapItem{Key: node.Value})
		}
	}
	return isManifest(keys)
}

// isManifest reports whether a document is a Kubernetes manifest: it has the key kind and
// at least one more key that manifests have and values do not.
func isManifest(document mapping) bool {
	kind, others := false, false
	for _, item := range document {
		switch item.Key {
		case "kind":
			kind = true
		case "apiVersion", "metadata", "spec", "items":
			others = true
		}
	}
	return kind && others
}

// nextLine returns the index of the line after the one that begins at index at.
func nextLine(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}
