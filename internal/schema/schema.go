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

	"github.com/santhosh-tekuri/jsonschema/v5"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// location is the name under which the schema is compiled. It is never opened.
const location = "file:///values.schema.json"

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	compiled *jsonschema.Schema
	document any
}

// Compile compiles a schema. References to other documents are refused:
// rendering reads nothing from a network.
func Compile(text []byte) (*Schema, error) {
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
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read values.schema.json: %w", err)
	}
	return &Schema{compiled: compiled, document: document}, nil
}

// Validate returns every place where values break the schema, ordered by path;
// none where they meet it. Values hold only what JSON can, in its Go types.
func (s *Schema) Validate(values map[string]any) field.ErrorList {
	err := s.compiled.Validate(values)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return field.ErrorList{field.InternalError(nil, err)}
	}
	r := report{schema: s.document, values: values}
	r.collect(invalid)
	return r.sorted()
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
