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

// encode prints a message of the API as --output says. What is not set is printed, too,
// so that scripts find each key.
func (o *options) encode(w io.Writer, message proto.Message) error {
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(message)
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return o.write(w, text)
}

// encodeValue prints a value of ours.
func (o *options) encodeValue(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return o.write(w, text)
}

// write prints JSON in the form that was asked for. protojson varies its spaces from
// build to build, so they are all made here.
func (o *options) write(w io.Writer, text []byte) error {
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	indented.WriteByte('\n')
	text = indented.Bytes()
	quoted := printableJSON(text)
	// YAML leaves some of what must be quoted as it is. JSON is YAML, too.
	if o.output == "yaml" && bytes.Equal(quoted, text) {
		var err error
		if quoted, err = yaml.JSONToYAML(text); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	if _, err := w.Write(quoted); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}
