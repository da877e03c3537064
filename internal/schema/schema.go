// Package schema validates values against the values.schema.json of a chart. It accepts
// what Helm accepts. Its errors name the path of each key, its value and what is allowed.
// A $comment beside a keyword of the schema is the message for that keyword.
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

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	validator *jsonschema.Schema
	// document returns the decoded schema. Only errors need it, so it is decoded for the first one.
	document func() (any, error)
}

// Compile compiles a schema. References to other documents are errors: rendering must not
// need a network.
func Compile(text []byte) (*Schema, error) {
	validator, err := newValidator(text)
	if err != nil {
		return nil, err
	}
	return &Schema{validator: validator, document: sync.OnceValues(func() (document any, err error) {
		err = json.Unmarshal(text, &document)
		return document, err
	})}, nil
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

// Validate returns all errors of values, ordered by path. The values must consist of the
// Go types that encoding/json decodes to.
func (s *Schema) Validate(values map[string]any) field.ErrorList {
	err := s.validator.Validate(values)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return field.ErrorList{field.InternalError(nil, err)}
	}
	document, err := s.document()
	if err != nil {
		return field.ErrorList{field.InternalError(nil, fmt.Errorf("read values.schema.json: %w", err))}
	}
	r := report{schema: document, values: values}
	r.collect(invalid)
	return Sort(r.errors)
}

// at returns the part of a JSON document that a JSON pointer names, or nil if there is none.
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
