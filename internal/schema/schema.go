// Package schema applies the values.schema.json of a chart and says what is
// wrong in the words of the values: the path of each key, what it is, and what
// is allowed. It decides exactly as Helm's own validator does; only the
// sentences are ours. What is allowed in a pattern's stead is said by the
// $comment beside it in the schema.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// location is the name under which the schema is compiled. It is never opened.
const location = "file:///values.schema.json"

// Schema is a schema. It is safe for concurrent use.
type Schema struct {
	document  any
	validator func() (*jsonschema.Schema, error)
	rule      *rule // nil where only the validator decides
}

// Compile compiles any schema. References to other documents are refused:
// rendering reads nothing from a network.
func Compile(text []byte) (*Schema, error) {
	s, err := newSchema(text)
	if err == nil {
		_, err = s.validator()
	}
	return s, err
}

// CompileOwn compiles a schema that is known to be right, and is in the part of
// draft 7 that rules know. The validator is compiled when something is wrong with
// values: that takes longer than to render a lease.
func CompileOwn(text []byte) (*Schema, error) {
	s, err := newSchema(text)
	if err == nil {
		s.rule = newRule(s.document)
	}
	return s, err
}

func newSchema(text []byte) (*Schema, error) {
	s := &Schema{validator: sync.OnceValues(func() (*jsonschema.Schema, error) { return newValidator(text) })}
	if err := json.Unmarshal(text, &s.document); err != nil {
		return nil, fmt.Errorf("read values.schema.json: %w", err)
	}
	return s, nil
}

func newValidator(text []byte) (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.LoadURL = func(url string) (io.ReadCloser, error) {
		return nil, fmt.Errorf("reference to another document: %s", url)
	}
	if err := compiler.AddResource(location, bytes.NewReader(text)); err != nil {
		return nil, fmt.Errorf("read values.schema.json: %w", err)
	}
	compiled, err := compiler.Compile(location)
	if err != nil {
		return nil, fmt.Errorf("compile values.schema.json: %w", err)
	}
	return compiled, nil
}

// Validate returns every place where values break the schema, ordered by path;
// none where they meet it. Values hold only what JSON can, in its Go types.
func (s *Schema) Validate(values map[string]any) field.ErrorList {
	if s.rule != nil && s.rule.acceptsObject(values) {
		return nil
	}
	validator, err := s.validator()
	if err == nil {
		err = validator.Validate(values)
	}
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return field.ErrorList{field.InternalError(nil, err)}
	}
	r := report{schema: s.document, values: values}
	r.collect(invalid)
	return Sort(r.errors)
}

// at returns the part of a JSON document that a JSON pointer names, nil where it names none.
func at(document any, pointer string) any {
	for _, token := range tokens(pointer) {
		switch node := document.(type) {
		case map[string]any:
			document = node[token]
		case []any:
			document = element(node, token)
		default:
			return nil
		}
	}
	return document
}

func element(list []any, token string) any {
	var i int
	if _, err := fmt.Sscanf(token, "%d", &i); err != nil || i < 0 || i >= len(list) {
		return nil
	}
	return list[i]
}

// tokens returns the unescaped parts of a JSON pointer.
func tokens(pointer string) []string {
	if pointer == "" || pointer == "/" {
		return nil
	}
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, part := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(unescape(part))
	}
	return parts
}
