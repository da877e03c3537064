package valuesfile

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

// checkSyntax returns a SyntaxErrors with every wrong key and every number that is not
// finite in the first document, or nil if there are none.
func checkSyntax(text []byte) error {
	var document yamlv4.Node
	if err := yamlv4.NewDecoder(bytes.NewReader(text)).Decode(&document); err != nil {
		return syntaxErrors(err, text)
	}
	if problems := check(&document, nil); len(problems) > 0 {
		return problems.sorted()
	}
	return nil
}

// explain returns the error of a file that Read refuses, with its position. It is about a
// document that a values file must not have, or else parserError.
func explain(parserError error, text []byte) error {
	decoder := yamlv4.NewDecoder(bytes.NewReader(text))
	var begin SyntaxError
	for first := true; ; {
		var document yamlv4.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) && parserError != nil {
			begin.Message = plainMessage(parserError)
			return SyntaxErrors{begin}
		}
		if err != nil {
			return syntaxErrors(err, text)
		}
		at := SyntaxError{Line: document.Line, Column: document.Column}
		if begin.Line == 0 && !isEmpty(&document) {
			begin = SyntaxError{Line: document.Content[0].Line, Column: document.Content[0].Column}
		}
		switch isManifest := isManifestNode(&document); {
		case isEmpty(&document):
		case first && isManifest:
			return ErrManifests
		case first:
			first = false
		case isManifest:
			at.Message = "a manifest begins here: " + useSeparateFiles
			return SyntaxErrors{at}
		default:
			at.Message = "a second YAML document begins here: put each document in its own file, and give each file with -f"
			return SyntaxErrors{at}
		}
	}
}

// plainMessage returns the message of a YAML parser without the prefixes of its layers.
func plainMessage(err error) string {
	message := err.Error()
	if strings.Contains(message, "cannot unmarshal") {
		return errNotMapping.Error()
	}
	for _, prefix := range []string{"error converting YAML to JSON: ", "error unmarshaling JSON: ", "yaml: "} {
		message = strings.TrimPrefix(message, prefix)
	}
	return message
}

// isEmpty reports whether a document is empty or null.
func isEmpty(document *yamlv4.Node) bool {
	return len(document.Content) == 0 || document.Content[0].ShortTag() == "!!null"
}

// check appends the errors below a node to found: duplicate keys, keys that YAML reads as
// another string than the file shows, and numbers that are not finite.
func check(node *yamlv4.Node, found SyntaxErrors) SyntaxErrors {
	problem := func(at *yamlv4.Node, format string, args ...any) {
		found = append(found, SyntaxError{Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)})
	}
	if node.Kind == yamlv4.ScalarNode && node.Style&quoted == 0 && notFinite.MatchString(node.Value) {
		problem(node, "a number must be finite: .nan and .inf are not allowed")
	}
	if node.Kind == yamlv4.MappingNode {
		first := map[string]int{}
		for i := 0; i < len(node.Content); i += 2 {
			key := node.Content[i]
			if key.ShortTag() == "!!merge" {
				continue
			}
			meant, isString := meaning(key)
			line, known := first[key.Value]
			switch {
			case !isString && key.Kind != yamlv4.ScalarNode:
				problem(key, "a key must be a string: quote a value that begins with {{")
			case !isString:
				problem(key, "a key must be a string: quote it")
			case meant != key.Value:
				problem(key, "the key %s is read as %q: quote it", key.Value, meant)
			case known:
				problem(key, "duplicate key %q, first in line %d: remove one of the two", key.Value, line)
			default:
				first[key.Value] = key.Line
			}
		}
	}
	for _, child := range node.Content {
		found = check(child, found)
	}
	return found
}

const quoted = yamlv4.SingleQuotedStyle | yamlv4.DoubleQuotedStyle | yamlv4.LiteralStyle | yamlv4.FoldedStyle

var notFinite = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)

// word matches keys that every YAML reader reads as a string, except booleans.
var word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]{3,}$`)

// meaning returns the string that a key becomes in the values: on becomes "true", and 010
// becomes "8". It reports false if the key does not become a string.
func meaning(key *yamlv4.Node) (string, bool) {
	if key.Kind == yamlv4.AliasNode {
		return key.Value, true // check visits the node of the anchor, too
	}
	if key.Kind != yamlv4.ScalarNode {
		return "", false
	}
	if key.Style&quoted != 0 || word.MatchString(key.Value) && !booleans[strings.ToLower(key.Value)] {
		return key.Value, true
	}
	var alone map[string]any
	if yaml.Unmarshal([]byte(key.Value+": 0"), &alone) != nil {
		return "", false
	}
	for meant := range alone {
		return meant, true
	}
	return "", false
}

// booleans are the texts that word matches and YAML does not read as strings.
var booleans = map[string]bool{"true": true, "false": true, "null": true}

// SyntaxError is one error in the syntax of a file.
type SyntaxError struct {
	// Line and Column count from 1. They are 0 if the position is not known.
	Line, Column int
	Message      string
}

// SyntaxErrors are all syntax errors of a file, ordered by position.
type SyntaxErrors []SyntaxError

func (e SyntaxErrors) sorted() SyntaxErrors {
	slices.SortStableFunc(e, func(a, b SyntaxError) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return e
}

// Error returns one line for each error.
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

// syntaxErrors returns the errors of a parser of a text.
func syntaxErrors(err error, text []byte) SyntaxErrors {
	var known SyntaxErrors
	if errors.As(err, &known) {
		return known
	}
	var one *yamlv4.LoadError
	if errors.As(err, &one) {
		return SyntaxErrors{inPlainWords(one, text)}
	}
	return SyntaxErrors{{Message: plainMessage(err)}}
}
