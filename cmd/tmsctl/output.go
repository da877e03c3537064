package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

// printMessage prints a message of the API in the format of --output, with all fields,
// so that scripts can rely on each key.
func (o *options) printMessage(w io.Writer, message proto.Message) error {
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(message)
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return o.printJSON(w, text)
}

// printValue prints a value that is not a message of the API.
func (o *options) printValue(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return o.printJSON(w, text)
}

// printJSON prints JSON in the format of --output. It indents the text, because protojson
// uses random spaces.
func (o *options) printJSON(w io.Writer, text []byte) error {
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	indented.WriteByte('\n')
	text = indented.Bytes()
	escaped := escapeJSON(text)
	// YAML would not escape some of the characters that escapeJSON escapes. JSON is YAML,
	// too.
	if o.output == "yaml" && bytes.Equal(escaped, text) {
		var err error
		if escaped, err = yaml.JSONToYAML(text); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	if _, err := w.Write(escaped); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}
