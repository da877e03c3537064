package source

import (
	"bytes"
	"errors"
	"io"
	"strings"

	yamlv4 "go.yaml.in/yaml/v4"
	"sigs.k8s.io/yaml"
)

// ErrManifests says that a file does not hold values, but manifests of Kubernetes.
var ErrManifests = errors.New("the file holds manifests, not values")

const mixed = "put values and manifests in files of their own, each given with -f"

// Document is one YAML document of a file of manifests.
type Document struct {
	Value     map[string]any
	Positions *Positions
}

// Documents returns the documents of a file of manifests that say something. It
// divides the file as kubectl does, and refuses what Read refuses of a single
// one. The error is a SyntaxErrors with what is wrong with each.
func Documents(text []byte) ([]Document, error) {
	var documents []Document
	var problems SyntaxErrors
	before := 0 // lines
	for _, part := range divide(string(text)) {
		document, err := readDocument(part, before)
		var found SyntaxErrors
		switch {
		case errors.As(err, &found):
			problems = append(problems, found...)
		case err != nil:
			return nil, err
		case document != nil:
			documents = append(documents, *document)
		}
		before += strings.Count(part, "\n")
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return documents, nil
}

// divide cuts a text before each line that begins a document.
func divide(text string) []string {
	var parts []string
	start := 0
	for at := 0; at < len(text); at = lineEnd(text, at) {
		marker, ok := strings.CutPrefix(text[at:lineEnd(text, at)], "---")
		if ok && at > start && (marker == "" || strings.ContainsRune(" \t\r\n", rune(marker[0]))) {
			parts = append(parts, text[start:at])
			start = at
		}
	}
	return append(parts, text[start:])
}

// readDocument reads a document that begins after some lines of its file. It
// returns nil where the document says nothing.
func readDocument(text string, before int) (*Document, error) {
	root, err := parse(text)
	if err != nil {
		problems := syntaxErrors(err)
		for i := range problems {
			if problems[i].Line > 0 {
				problems[i].Line += before
			}
		}
		return nil, problems
	}
	if root == nil || empty(root) {
		return nil, nil
	}
	move(root, before)
	here := func(message string) SyntaxErrors {
		return SyntaxErrors{{Line: root.Content[0].Line, Column: root.Content[0].Column, Message: message}}
	}
	if root.Content[0].Kind != yamlv4.MappingNode {
		return nil, here("a manifest must be a mapping of keys to values")
	}
	if !isManifest(root) {
		return nil, here("this is no manifest, which has apiVersion and kind: " + mixed)
	}
	if problems := checkKeys(root, nil); len(problems) > 0 {
		return nil, problems.sorted()
	}
	document := &Document{Positions: newPositions(root.Content[0])}
	if err := yaml.Unmarshal([]byte(text), &document.Value); err != nil {
		return nil, here(plainly(err))
	}
	return document, nil
}

// parse returns the syntax of a text with at most one document in it, nil where
// there is none.
func parse(text string) (*yamlv4.Node, error) {
	decoder := yamlv4.NewDecoder(bytes.NewReader([]byte(text)))
	var first, next yamlv4.Node
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	switch err := decoder.Decode(&next); {
	case errors.Is(err, io.EOF) || err == nil && empty(&next):
		return &first, nil
	case err != nil:
		return nil, err
	default:
		return nil, SyntaxErrors{{Line: next.Line, Column: next.Column, Message: "a document begins here without a line --- before it"}}
	}
}

// move adds lines to the places of a node and of all nodes below it.
func move(node *yamlv4.Node, lines int) {
	if lines == 0 {
		return
	}
	node.Line += lines
	for _, child := range node.Content {
		move(child, lines)
	}
}

// isManifest says whether a document is a manifest of Kubernetes: it has a kind,
// and at least one more of the keys that manifests have and values do not.
func isManifest(document *yamlv4.Node) bool {
	if len(document.Content) == 0 || document.Content[0].Kind != yamlv4.MappingNode {
		return false
	}
	kind, others := false, false
	root := document.Content[0]
	for i := 0; i < len(root.Content); i += 2 {
		switch root.Content[i].Value {
		case "kind":
			kind = true
		case "apiVersion", "metadata", "spec", "items":
			others = true
		}
	}
	return kind && others
}
