package source

import (
	"regexp"
	"strconv"
	"strings"

	yamlv4 "go.yaml.in/yaml/v4"
)

// Locate returns the line at which a path of the values stands in a file, and
// how many of its parts the file has: an error about a missing key belongs to
// the file that has most of its path. A depth of 0 means none.
func Locate(text []byte, path string) (line, depth int) {
	var root yamlv4.Node
	if yamlv4.Unmarshal(text, &root) != nil || len(root.Content) == 0 {
		return 0, 0
	}
	node := root.Content[0]
	for _, part := range Parts(path) {
		key, value := child(node, part)
		if value == nil {
			break
		}
		line, depth, node = key.Line, depth+1, value
	}
	return line, depth
}

// child returns the key and the value of one part of a path, nil where there is none.
func child(node *yamlv4.Node, part string) (key, value *yamlv4.Node) {
	for node.Kind == yamlv4.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yamlv4.SequenceNode:
		if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	case yamlv4.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == part {
				return node.Content[i], node.Content[i+1]
			}
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
