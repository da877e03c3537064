package crd_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/triton-leases/tms/internal/reference"
	"github.com/triton-leases/tms/internal/testing/golden"
)

// TestReference checks the page of all fields of a TritonLease.
func TestReference(t *testing.T) {
	t.Parallel()
	made := definition(t)
	version := made.Spec.Versions[0]
	root := version.Schema.OpenAPIV3Schema
	page := reference.New("TritonLease", "charts/tms/values.schema.json and internal/crd/skeleton.yaml")
	page.Text(root.Description + " [leases.md](../leases.md) is the guide, and [conditions.md](conditions.md) lists the conditions and events.")
	page.Table([]string{"", ""}, [][]string{
		{"apiVersion", reference.Code(made.Spec.Group + "/" + version.Name)},
		{"kind", reference.Code(made.Spec.Names.Kind)},
		{"names for kubectl", reference.Codes(append([]string{made.Spec.Names.Plural, made.Spec.Names.Singular}, made.Spec.Names.ShortNames...))},
	})
	page.Text("Bounds are those of the API server. The administrator's values bound the numbers further: see [bounds.md](../bounds.md). No field has a default in the definition: a field that is not set gets the default of the administrator's values.")
	for _, part := range []string{"spec", "status"} {
		page.Heading(2, part)
		page.Text(reference.Plain(root.Properties[part].Description))
		page.Table([]string{"field", "type", "bounds", "meaning"}, fields(part, root.Properties[part], nil))
	}
	page.Heading(2, "Rules")
	page.Text("The API server refuses a lease that breaks one of these rules:")
	page.Table([]string{"field", "rule"}, rulesOf("", *root))
	page.Heading(2, "Columns of kubectl get")
	var columns [][]string
	for _, column := range version.AdditionalPrinterColumns {
		wide := ""
		if column.Priority > 0 {
			wide = "`-o wide` only"
		}
		columns = append(columns, []string{strings.ToUpper(column.Name), reference.Code(column.JSONPath), wide, reference.Plain(column.Description)})
	}
	page.Table([]string{"column", "field", "", "meaning"}, columns)
	golden.Equal(t, "../../docs/reference/tritonlease.md", page.String())
}

// fields returns a row for each field below a path.
func fields(path string, in apiextensionsv1.JSONSchemaProps, rows [][]string) [][]string {
	for _, name := range slices.Sorted(maps.Keys(in.Properties)) {
		field := in.Properties[name]
		at := path + "." + name
		rows = append(rows, []string{reference.Code(at), typeOf(field), bounds(field, slices.Contains(in.Required, name)), reference.Plain(field.Description)})
		rows = fields(at, field, rows)
		if field.Items != nil {
			rows = fields(at+"[]", *field.Items.Schema, rows)
		}
		if field.AdditionalProperties != nil {
			rows = fields(at+".<name>", *field.AdditionalProperties.Schema, rows)
		}
	}
	return rows
}

func typeOf(field apiextensionsv1.JSONSchemaProps) string {
	switch {
	case field.XIntOrString:
		return "integer or string"
	case field.Items != nil:
		return "list of " + typeOf(*field.Items.Schema)
	case field.AdditionalProperties != nil:
		return "map of " + typeOf(*field.AdditionalProperties.Schema)
	case field.XPreserveUnknownFields != nil:
		return "object of Kubernetes"
	case field.Format == "date-time":
		return "time"
	}
	return field.Type
}

// bounds returns what the API server requires of a field.
func bounds(field apiextensionsv1.JSONSchemaProps, required bool) string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	between := func(least, most *int64, unit string) {
		switch {
		case least != nil && most != nil:
			add("%d to %d%s", *least, *most, unit)
		case least != nil:
			add("at least %d%s", *least, unit)
		case most != nil:
			add("at most %d%s", *most, unit)
		}
	}
	if required {
		add("required")
	}
	between(whole64(field.Minimum), whole64(field.Maximum), "")
	between(field.MinLength, field.MaxLength, " characters")
	between(field.MinItems, field.MaxItems, " items")
	between(field.MinProperties, field.MaxProperties, " keys")
	for i, value := range field.Enum {
		if i == 0 {
			add("one of %s", reference.Code(string(value.Raw)))
			continue
		}
		all[len(all)-1] += ", " + reference.Code(string(value.Raw))
	}
	if field.Pattern != "" && field.Format != "date-time" {
		add("pattern %s", reference.Code(field.Pattern))
	}
	if field.Items != nil {
		if of := bounds(*field.Items.Schema, false); of != "" {
			add("each: %s", of)
		}
	}
	if field.AdditionalProperties != nil {
		if of := bounds(*field.AdditionalProperties.Schema, false); of != "" {
			add("each: %s", of)
		}
	}
	return strings.Join(all, "; ")
}

// whole64 returns a number of a schema as an int64.
func whole64(number *float64) *int64 {
	if number == nil {
		return nil
	}
	return new(int64(*number))
}

// rulesOf returns the rules of an object and of all objects below it.
func rulesOf(path string, in apiextensionsv1.JSONSchemaProps) [][]string {
	var rows [][]string
	for _, rule := range in.XValidations {
		rows = append(rows, []string{reference.Code(path), reference.Plain(rule.Message)})
	}
	for _, name := range slices.Sorted(maps.Keys(in.Properties)) {
		rows = append(rows, rulesOf(strings.TrimPrefix(path+"."+name, "."), in.Properties[name])...)
	}
	if in.Items != nil {
		rows = append(rows, rulesOf(path+"[]", *in.Items.Schema)...)
	}
	if in.AdditionalProperties != nil {
		rows = append(rows, rulesOf(path+".<name>", *in.AdditionalProperties.Schema)...)
	}
	return rows
}
