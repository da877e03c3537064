// Package source reads values files and knows where in them a key stands.
package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	yamlv4 "go.yaml.in/yaml/v4"
	"sigs.k8s.io/yaml"
)

// Read returns what one values file says, as helm -f reads it, and refuses what
// helm would lose without a word: keys that stand twice and documents after the
// first. The error is a SyntaxErrors. An empty file says nothing.
func Read(text []byte) (map[string]any, error) {
	var values map[string]any
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		if values, err = reread(text, err); err != nil {
			return nil, err
		}
	}
	if err := single(text); err != nil {
		return nil, err
	}
	return values, nil
}

// reread finds out why the strict reading failed, and where.
func reread(text []byte, strict error) (map[string]any, error) {
	var root yamlv4.Node
	if err := yamlv4.Unmarshal(text, &root); err != nil {
		return nil, syntaxErrors(err)
	}
	if twice := duplicates(&root, nil); len(twice) > 0 {
		slices.SortFunc(twice, func(a, b SyntaxError) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
		return nil, twice
	}
	// The strict reader takes a key beside a merge (<<) that has it too for one
	// that stands twice. It is not: the key overrides the merge, as Helm has it.
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, SyntaxErrors{{Message: plainly(err)}}
	}
	if !strings.Contains(strict.Error(), "already set in map") {
		return nil, SyntaxErrors{{Message: plainly(strict)}}
	}
	return values, nil
}

// plainly returns the message of a YAML reader without the names of its parts.
func plainly(err error) string {
	message := err.Error()
	if strings.Contains(message, "cannot unmarshal") {
		return "a values file must be a mapping of keys to values"
	}
	if strings.Contains(message, "unsupported value") {
		return "a number must be finite: .nan and .inf are not allowed"
	}
	for _, prefix := range []string{"error converting YAML to JSON: ", "error unmarshaling JSON: ", "yaml: "} {
		message = strings.TrimPrefix(message, prefix)
	}
	return message
}

// marker is what begins or ends a document, after any of YAML's line breaks.
var marker = regexp.MustCompile(`[\n\r](---|\.\.\.)`)

// single refuses a stream of several documents: Helm would read the first and
// drop the others. Documents with nothing in them do not count.
func single(text []byte) error {
	if !marker.Match(text) {
		return nil
	}
	decoder := yamlv4.NewDecoder(bytes.NewReader(text))
	for first := true; ; first = false {
		var document yamlv4.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return syntaxErrors(err)
		}
		if !first && !empty(&document) {
			return SyntaxErrors{{
				Line: document.Line, Column: document.Column,
				Message: "a second YAML document begins here: put each in a file of its own and give them all with -f",
			}}
		}
	}
}

func empty(document *yamlv4.Node) bool {
	return len(document.Content) == 0 || document.Content[0].ShortTag() == "!!null"
}

// duplicates returns every key that stands twice in one mapping.
func duplicates(node *yamlv4.Node, found SyntaxErrors) SyntaxErrors {
	if node.Kind == yamlv4.MappingNode {
		first := map[string]int{}
		for i := 0; i < len(node.Content); i += 2 {
			key := node.Content[i]
			meant := meaning(key)
			if line, ok := first[meant]; ok && key.ShortTag() != "!!merge" {
				found = append(found, SyntaxError{
					Line: key.Line, Column: key.Column,
					Message: fmt.Sprintf("duplicate key %q, first in line %d", key.Value, line),
				})
				continue
			}
			first[meant] = key.Line
		}
	}
	for _, child := range node.Content {
		found = duplicates(child, found)
	}
	return found
}

// meaning returns what a key becomes in the values: yes and on are both the
// key true, 0x1 and 1 are both the key 1.
func meaning(key *yamlv4.Node) string {
	if key.Kind != yamlv4.ScalarNode || key.Style&(yamlv4.SingleQuotedStyle|yamlv4.DoubleQuotedStyle) != 0 {
		return key.Value
	}
	var alone map[string]any
	if yaml.Unmarshal([]byte(key.Value+": 0"), &alone) != nil {
		return key.Value
	}
	for meant := range alone {
		return meant
	}
	return key.Value
}

// SyntaxError is something that a values file may not say, whatever it means.
type SyntaxError struct {
	// Line and Column count from 1; they are 0 where the place is not known.
	Line, Column int
	Message      string
}

// SyntaxErrors are all of them, in the order of the file.
type SyntaxErrors []SyntaxError

// Error has one line for each.
func (e SyntaxErrors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Message
		if one.Line > 0 {
			lines[i] = fmt.Sprintf("line %d, column %d: %s", one.Line, max(one.Column, 1), one.Message)
		}
	}
	return strings.Join(lines, "\n")
}

func syntaxErrors(err error) SyntaxErrors {
	var one *yamlv4.LoadError
	if errors.As(err, &one) {
		return SyntaxErrors{{Line: one.Mark.Line, Column: one.Mark.Column, Message: one.Message}}
	}
	return SyntaxErrors{{Message: plainly(err)}}
}
