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
// helm would lose or change without a word: keys that stand twice, keys that are
// not what they look like, and documents after the first. The error is a
// SyntaxErrors, or ErrManifests. An empty file says nothing.
func Read(text []byte) (map[string]any, error) {
	values, _, err := read(text)
	return values, err
}

// read is Read with the syntax of the first document, which may be nil.
func read(text []byte) (map[string]any, *yamlv4.Node, error) {
	document, err := check(text)
	if err != nil {
		return nil, nil, err
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, nil, SyntaxErrors{{Message: plainly(err)}}
	}
	return values, document, nil
}

// check looks at the syntax alone, and returns that of the first document. A
// document with nothing in it does not count.
func check(text []byte) (*yamlv4.Node, error) {
	decoder := yamlv4.NewDecoder(bytes.NewReader(text))
	var first *yamlv4.Node
	for {
		var document yamlv4.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return first, nil
		}
		if err != nil {
			return nil, syntaxErrors(err)
		}
		if isManifest(&document) {
			if first == nil || empty(first) {
				return nil, ErrManifests
			}
			return nil, SyntaxErrors{{Line: document.Line, Column: document.Column, Message: "a manifest begins here: " + mixed}}
		}
		if first != nil && !empty(&document) {
			return nil, SyntaxErrors{{
				Line: document.Line, Column: document.Column,
				Message: "a second YAML document begins here: put each in a file of its own and give them all with -f",
			}}
		}
		if problems := checkKeys(&document, nil); len(problems) > 0 {
			return nil, problems.sorted()
		}
		if first == nil {
			first = &document
		}
	}
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

func empty(document *yamlv4.Node) bool {
	return len(document.Content) == 0 || document.Content[0].ShortTag() == "!!null"
}

// checkKeys returns every key that stands twice in one mapping, and every key
// that YAML reads as something else than it looks like.
func checkKeys(node *yamlv4.Node, found SyntaxErrors) SyntaxErrors {
	if node.Kind == yamlv4.MappingNode {
		first := map[string]int{}
		for i := 0; i < len(node.Content); i += 2 {
			key := node.Content[i]
			if key.ShortTag() == "!!merge" {
				continue
			}
			problem := ""
			if meant := meaning(key); meant != key.Value {
				problem = fmt.Sprintf("the key %s is read as %q: quote it", key.Value, meant)
			} else if line, ok := first[key.Value]; ok {
				problem = fmt.Sprintf("duplicate key %q, first in line %d", key.Value, line)
			}
			if problem != "" {
				found = append(found, SyntaxError{Line: key.Line, Column: key.Column, Message: problem})
				continue
			}
			first[key.Value] = key.Line
		}
	}
	for _, child := range node.Content {
		found = checkKeys(child, found)
	}
	return found
}

// word matches keys that every reader of YAML takes for a text.
var word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]{3,}$`)

// meaning returns what a key becomes in the values: on becomes true, and 010 becomes 8.
func meaning(key *yamlv4.Node) string {
	quoted := key.Style&(yamlv4.SingleQuotedStyle|yamlv4.DoubleQuotedStyle|yamlv4.LiteralStyle|yamlv4.FoldedStyle) != 0
	if key.Kind != yamlv4.ScalarNode || quoted || word.MatchString(key.Value) && !booleans[strings.ToLower(key.Value)] {
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

// booleans are the words of more than three letters that are none.
var booleans = map[string]bool{"true": true, "false": true, "null": true}

// SyntaxError is something that a values file may not say, whatever it means.
type SyntaxError struct {
	// Line and Column count from 1; they are 0 where the place is not known.
	Line, Column int
	Message      string
}

// SyntaxErrors are all of them, in the order of the file.
type SyntaxErrors []SyntaxError

func (e SyntaxErrors) sorted() SyntaxErrors {
	slices.SortStableFunc(e, func(a, b SyntaxError) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return e
}

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
	var known SyntaxErrors
	if errors.As(err, &known) {
		return known
	}
	var one *yamlv4.LoadError
	if errors.As(err, &one) {
		return SyntaxErrors{{Line: one.Mark.Line, Column: one.Mark.Column, Message: one.Message}}
	}
	return SyntaxErrors{{Message: plainly(err)}}
}
