// Package valuesfile reads YAML files of values, as Helm does, and of manifests, and
// locates keys in them for error messages.
//
// It reads values with Helm's YAML parser, to get the same values. A second parser,
// which reports lines and columns, runs only if there is an error.
package valuesfile

import (
	"bytes"
	"errors"
	"io"
	"maps"

	yamlv2 "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// ErrManifests is returned for a file of Kubernetes manifests.
var ErrManifests = errors.New("the file holds manifests, not values")

// Read returns the values of a file as helm -f reads them. It refuses what Helm
// silently drops or changes: duplicate keys, keys that YAML reads as another string than
// the file shows, and documents after the first. The error is a SyntaxErrors with all
// errors, or ErrManifests. An empty file has no values.
func Read(text []byte) (map[string]any, error) {
	decoder := yamlv2.NewDecoder(bytes.NewReader(text))
	var found mapping
	for {
		var next mapping
		err := decoder.Decode(&next)
		switch {
		case errors.Is(err, io.EOF):
			return convert(found, text)
		case err != nil, len(next) > 0 && (len(found) > 0 || isManifest(next)):
			return nil, explain(err, text)
		case len(next) > 0:
			found = next
		}
	}
}

// mapping is a document that is a mapping. It keeps the order and the duplicate keys.
type mapping yamlv2.MapSlice

var errNotMapping = errors.New("a values file must be a mapping of keys to values")

// UnmarshalYAML refuses a list, which the parser would read as a MapSlice.
func (m *mapping) UnmarshalYAML(unmarshal func(any) error) error {
	var list []ignored
	if unmarshal(&list) == nil {
		return errNotMapping
	}
	return unmarshal((*yamlv2.MapSlice)(m))
}

// ignored is an item of a list, which UnmarshalYAML accepts and does not read.
type ignored struct{}

// UnmarshalYAML implements yaml.Unmarshaler.
func (ignored) UnmarshalYAML(func(any) error) error { return nil }

// convert returns the values of a document. If a key or value is suspicious, or if there
// may be a merge key, which a MapSlice does not apply, checkSyntax and Helm's reader decide:
// 7 is a valid key.
func convert(document mapping, text []byte) (map[string]any, error) {
	var c converter
	values := c.object(yamlv2.MapSlice(document))
	if !c.suspicious && !bytes.Contains(text, []byte("<<")) {
		return values, nil
	}
	if err := checkSyntax(text); err != nil {
		return nil, err
	}
	values = nil
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, explain(err, text)
	}
	return values, nil
}

// Merge merges above over below, as helm does with several -f: it merges maps and
// replaces everything else. It changes neither argument; the result shares parts with
// both.
func Merge(below, above map[string]any) map[string]any {
	merged := make(map[string]any, len(below)+len(above))
	maps.Copy(merged, below)
	for key, value := range above {
		under, _ := merged[key].(map[string]any)
		if over, isMap := value.(map[string]any); isMap && under != nil {
			value = Merge(under, over)
		}
		merged[key] = value
	}
	return merged
}
