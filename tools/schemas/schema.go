package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A schema is an OpenAPI schema, or the JSON schema made from it.
type schema = map[string]any

// definitions are the types that schemas refer to, by name.
type definitions map[string]schema

// A kind is a Kubernetes kind with its schema.
type kind struct {
	group, version, name string
	root                 schema
}

const (
	refPrefix  = "#/definitions/"
	objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
	quantity   = "io.k8s.apimachinery.pkg.api.resource.Quantity"
)

// quantityPattern is the pattern of a quantity in generated CRDs.
const quantityPattern = `^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`

// kinds returns the kinds of manifests. It leaves out definitions that belong to every
// group, such as DeleteOptions: they are part of the protocol, and never manifests.
func (all definitions) kinds() []kind {
	var kinds []kind
	for _, root := range all {
		gvks, _ := root["x-kubernetes-group-version-kind"].([]any)
		if len(gvks) != 1 {
			continue
		}
		gvk := gvks[0].(schema)
		kinds = append(kinds, kind{gvk["group"].(string), gvk["version"].(string), gvk["kind"].(string), root})
	}
	return kinds
}

// write creates dir with one schema file for each kind.
func write(dir string, all definitions, kinds []kind) error {
	dir = filepath.Clean(dir) // "a/b/" would be its own parent.
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(dir), "schemas-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(unfinished) }()

	for _, k := range kinds {
		root, err := all.standalone(k)
		if err != nil {
			return fmt.Errorf("kind %s of %s: %w", k.name, k.apiVersion(), err)
		}
		data, err := json.Marshal(root)
		if err != nil {
			return err
		}
		// O_EXCL: two groups may have the same first label, and so the same file name.
		file, err := os.OpenFile(filepath.Join(unfinished, k.file()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		if _, err := file.Write(data); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}

	// Only the owner can read a directory that MkdirTemp creates.
	if err := os.Chmod(unfinished, 0o755); err != nil {
		return err
	}
	return os.Rename(unfinished, dir)
}

func (k kind) apiVersion() string {
	return strings.TrimPrefix(k.group+"/"+k.version, "/")
}

// file returns the file name that kubeconform derives from {{ .ResourceKind }}{{ .KindSuffix }}.
func (k kind) file() string {
	label, _, _ := strings.Cut(k.group, ".")
	name := k.name + "-" + strings.TrimPrefix(label+"-"+k.version, "-")
	return strings.ToLower(name) + ".json"
}

// standalone returns the kind's schema with all definitions that it refers to. They are
// not inlined: some types contain themselves.
func (all definitions) standalone(k kind) (schema, error) {
	root := strict(k.root)
	// The file name has only a part of the group, so the schema checks the whole group.
	properties := root["properties"].(schema)
	properties["apiVersion"] = schema{"enum": []string{k.apiVersion()}}
	properties["kind"] = schema{"enum": []string{k.name}}

	reached := definitions{}
	unresolved := refs(root)
	for len(unresolved) > 0 {
		name, found := strings.CutPrefix(unresolved[0], refPrefix)
		unresolved = unresolved[1:]
		if !found || all[name] == nil {
			return nil, fmt.Errorf("unknown reference %s", name)
		}
		if reached[name] == nil {
			reached[name] = strict(all[name])
			if name == quantity {
				// The API server also accepts a number, although the schema says string.
				reached[name] = schema{"type": []string{"string", "number"}, "pattern": quantityPattern}
			}
			unresolved = append(unresolved, refs(reached[name])...)
		}
	}
	root["definitions"] = reached
	return root, nil
}

// strict converts an OpenAPI schema to a JSON schema (draft 4) that refuses unknown fields.
// It also refuses null unless the schema has nullable: the API server accepts more nulls,
// but in rendered manifests a null means that a value is missing.
func strict(open schema) schema {
	out := schema{}
	for keyword, value := range open {
		switch keyword {
		case "description", "default", "nullable":
			// They do not restrict values. nullable is handled below.
		case "properties":
			properties := schema{}
			for name, property := range value.(schema) {
				properties[name] = strict(property.(schema))
			}
			out[keyword] = properties
		case "items", "additionalProperties":
			out[keyword] = value
			if sub, ok := value.(schema); ok {
				out[keyword] = strict(sub)
			}
		default:
			// The branches of allOf, anyOf, oneOf and not are copied as they are: they name
			// only some of the fields, and must not refuse the others.
			if !strings.HasPrefix(keyword, "x-kubernetes-") {
				out[keyword] = value
			}
		}
	}

	_, closed := open["additionalProperties"]
	if open["properties"] != nil && !closed && open["x-kubernetes-preserve-unknown-fields"] != true {
		out["additionalProperties"] = false
	}
	if open["format"] == "int-or-string" || open["x-kubernetes-int-or-string"] == true {
		delete(out, "format")
		out["type"] = []string{"integer", "string"}
	}
	if name, ok := out["type"].(string); ok && open["nullable"] == true {
		out["type"] = []string{name, "null"}
	}
	return out
}

// refs returns the references in a JSON schema. A property can also have the name $ref, as
// in JSONSchemaProps, but its value is a schema and not a string.
func refs(value any) []string {
	var found []string
	switch value := value.(type) {
	case schema:
		if ref, ok := value["$ref"].(string); ok {
			found = append(found, ref)
		}
		for _, sub := range value {
			found = append(found, refs(sub)...)
		}
	case []any:
		for _, sub := range value {
			found = append(found, refs(sub)...)
		}
	}
	return found
}
