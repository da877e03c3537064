// Package objectcases has objects that Kubernetes accepts, and changes for which it
// refuses them.
package objectcases

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/fieldpath"
)

//go:embed valid.yaml
var valid []byte

//go:embed refused.yaml
var refused []byte

// Case is an object that Kubernetes refuses.
type Case struct {
	// Name says what is wrong.
	Name string `json:"name"`
	// Kind of the object, Deployment by default. The case changes the first valid object
	// of the kind that has the name Object, if that is set.
	Kind   string `json:"kind,omitempty"`
	Object string `json:"object,omitempty"`
	// Set has new values by path. null removes the field.
	Set map[string]any `json:"set,omitempty"`
	// Path is the path of the fault, by default the only key of Set. Kubernetes may report
	// a part of it.
	Path string `json:"path,omitempty"`
	// KubernetesPath is the path that Kubernetes reports, if that is not a part of Path.
	KubernetesPath string `json:"kubernetesPath,omitempty"`
	// Apply reports whether only server-side apply refuses the object.
	Apply bool `json:"apply,omitempty"`

	// Manifest is the object in JSON.
	Manifest json.RawMessage `json:"manifest,omitempty"`
}

// Valid returns the objects that Kubernetes accepts, in JSON.
func Valid() ([]json.RawMessage, error) {
	var objects []json.RawMessage
	for _, document := range bytes.Split(valid, []byte("\n---\n")) {
		object, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// Refused returns the cases.
func Refused() ([]Case, error) {
	var cases []Case
	if err := yaml.UnmarshalStrict(refused, &cases); err != nil {
		return nil, err
	}
	objects, err := Valid()
	if err != nil {
		return nil, err
	}
	for i := range cases {
		cases[i].complete()
		if cases[i].Manifest, err = cases[i].manifest(objects); err != nil {
			return nil, fmt.Errorf("case %q: %w", cases[i].Name, err)
		}
	}
	return cases, nil
}

// complete sets defaults, and replaces abbreviations of paths.
func (c *Case) complete() {
	if c.Kind == "" {
		c.Kind = "Deployment"
	}
	long := func(path string) string {
		const pod = "spec.template.spec."
		if rest, ok := strings.CutPrefix(path, "triton."); ok {
			return pod + "containers[0]." + rest
		} else if rest, ok := strings.CutPrefix(path, "pod."); ok {
			return pod + rest
		}
		return path
	}
	values := map[string]any{}
	for path, value := range c.Set {
		values[long(path)] = value
		if len(c.Set) == 1 {
			c.Path = cmp.Or(c.Path, path)
		}
	}
	c.Set, c.Path, c.KubernetesPath = values, long(c.Path), long(c.KubernetesPath)
}

func (c *Case) manifest(objects []json.RawMessage) (json.RawMessage, error) {
	for _, text := range objects {
		var object map[string]any
		if err := json.Unmarshal(text, &object); err != nil {
			return nil, err
		}
		if object["kind"] != c.Kind || c.Object != "" && object["metadata"].(map[string]any)["name"] != c.Object {
			continue
		}
		var changed any = object
		for path, value := range c.Set {
			var err error
			if changed, err = set(changed, fieldpath.Parse(path), value); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		return json.Marshal(changed)
	}
	return nil, fmt.Errorf("no valid %s %s", c.Kind, c.Object)
}

// set returns a node with a new value at a path. An index may be the length of a list.
func set(node any, path fieldpath.Path, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	part := path[0]
	if !part.IsIndex {
		fields, ok := node.(map[string]any)
		if !ok {
			fields = map[string]any{}
		}
		child, err := set(fields[part.Key], path[1:], value)
		if child == nil {
			delete(fields, part.Key)
		} else {
			fields[part.Key] = child
		}
		return fields, err
	}
	list, _ := node.([]any)
	if part.Index > len(list) {
		return nil, fmt.Errorf("the list has only %d items", len(list))
	}
	if part.Index == len(list) {
		list = append(list, nil)
	}
	child, err := set(list[part.Index], path[1:], value)
	list[part.Index] = child
	return list, err
}
