package source

import (
	"regexp"
	"strconv"
	"strings"

	yamlv4 "go.yaml.in/yaml/v4"
)

// Positions knows where the keys of one values file stand, or of one manifest.
type Positions struct {
	root *yamlv4.Node // nil where the file cannot be read or says nothing
	// keys maps the keys of a mapping to their places in it. It is filled for the
	// mappings that are asked for: a fleet may have thousands of leases in one.
	keys map[*yamlv4.Node]map[string]int
}

// Index returns the positions of a file.
func Index(text []byte) *Positions {
	var document yamlv4.Node
	if yamlv4.Unmarshal(text, &document) == nil && len(document.Content) > 0 {
		return newPositions(document.Content[0])
	}
	return newPositions(nil)
}

func newPositions(root *yamlv4.Node) *Positions {
	return &Positions{root: root, keys: map[*yamlv4.Node]map[string]int{}}
}

// Locate returns the line at which a path of the values stands, and how many of
// its parts the file has: an error about a missing key belongs to the file that
// has most of its path. A depth of 0 means none. It is not safe for concurrent use.
func (p *Positions) Locate(path string) (line, depth int) {
	if line, _, depth = p.Place(path); depth == 0 {
		return 0, 0
	}
	return line, depth
}

// Place is Locate with the column. Where the file has no part of the path, the
// place is where its values begin.
func (p *Positions) Place(path string) (line, column, depth int) {
	node := p.root
	if node == nil {
		return 0, 0, 0
	}
	line, column = node.Line, node.Column
	for _, part := range Parts(path) {
		key, value := p.child(node, part)
		if value == nil {
			break
		}
		line, column, depth, node = key.Line, key.Column, depth+1, value
	}
	return line, column, depth
}

// child returns the key and the value of one part of a path, nil where there is none.
func (p *Positions) child(node *yamlv4.Node, part string) (key, value *yamlv4.Node) {
	for node.Kind == yamlv4.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yamlv4.SequenceNode:
		if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	case yamlv4.MappingNode:
		if p.keys[node] == nil {
			p.keys[node] = make(map[string]int, len(node.Content)/2)
			for i := 0; i+1 < len(node.Content); i += 2 {
				p.keys[node][node.Content[i].Value] = i
			}
		}
		if i, ok := p.keys[node][part]; ok {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}

// part matches one part of a path: a word, or anything in brackets.
var part = regexp.MustCompile(`\["(?:[^"\\]|\\.)*"\]|\[[^\]]*\]|[^.\[\]]+`)

// Parts splits a path as field.Path prints it: leases.a.models[0].uri, or
// kubernetes.customLabels[app.kubernetes.io/name].
func Parts(path string) []string {
	found := part.FindAllString(path, -1)
	for i, text := range found {
		if inner, ok := strings.CutPrefix(text, "["); ok {
			inner = strings.TrimSuffix(inner, "]")
			if plain, err := strconv.Unquote(inner); err == nil {
				inner = plain
			}
			found[i] = inner
		}
	}
	return found
}
