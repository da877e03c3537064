package valuesfile

import (
	yamlv4 "go.yaml.in/yaml/v4"

	"github.com/triton-leases/tms/internal/fieldpath"
)

// Positions maps the keys of one values file or manifest to lines and columns. It is not
// safe for concurrent use.
type Positions struct {
	root *yamlv4.Node // nil if the file is empty or not valid YAML
	// keys maps the keys of each mapping node to their indexes in its Content. It is
	// filled on demand: a fleet has thousands of leases in one mapping.
	keys map[*yamlv4.Node]map[string]int
}

// Index returns the positions of a values file.
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

// Locate returns the position of the longest prefix of a path that the file has, and the
// length of that prefix: an error about a missing key belongs to the file that has most
// of its path. If the file has no prefix, Locate returns the position of the first value
// and depth 0; if the file has no values, it returns 0, 0, 0.
func (p *Positions) Locate(path fieldpath.Path) (line, column, depth int) {
	node := p.root
	if node == nil {
		return 0, 0, 0
	}
	line, column = node.Line, node.Column
	for _, part := range path {
		key, value := p.child(node, part)
		if value == nil {
			break
		}
		line, column, depth, node = key.Line, key.Column, depth+1, value
	}
	return line, column, depth
}

// child returns the key and the value of one part of a path, or nil if the node does not
// have it.
func (p *Positions) child(node *yamlv4.Node, part fieldpath.Part) (key, value *yamlv4.Node) {
	for node.Kind == yamlv4.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yamlv4.SequenceNode:
		if part.IsIndex && part.Index < len(node.Content) {
			return node.Content[part.Index], node.Content[part.Index]
		}
	case yamlv4.MappingNode:
		if p.keys[node] == nil {
			p.keys[node] = make(map[string]int, len(node.Content)/2)
			for i := 0; i+1 < len(node.Content); i += 2 {
				p.keys[node][node.Content[i].Value] = i
			}
		}
		if i, ok := p.keys[node][part.Key]; ok && !part.IsIndex {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}
