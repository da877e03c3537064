package crd

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// keywords are the keywords of one schema object.
type keywords struct {
	Ref         string `json:"$ref"`
	Comment     string `json:"$comment"`
	Description string `json:"description"`

	Type      types    `json:"type"`
	Enum      []string `json:"enum"`
	Minimum   *float64 `json:"minimum"`
	Maximum   *float64 `json:"maximum"`
	MinLength *int64   `json:"minLength"`
	MaxLength *int64   `json:"maxLength"`
	Pattern   string   `json:"pattern"`

	Items    *keywords `json:"items"`
	MinItems *int64    `json:"minItems"`
	MaxItems *int64    `json:"maxItems"`

	Properties           map[string]*keywords `json:"properties"`
	AdditionalProperties json.RawMessage      `json:"additionalProperties"`
	Required             []string             `json:"required"`
	MinProperties        *int64               `json:"minProperties"`
	MaxProperties        *int64               `json:"maxProperties"`
	// PropertyNames is not translated: a CEL rule for it would exceed the cost limit. The
	// controller validates with the schema itself, and refuses such keys.
	PropertyNames *keywords `json:"propertyNames"`

	AllOf []*keywords `json:"allOf"`
	OneOf []*keywords `json:"oneOf"`
	Not   *keywords   `json:"not"`
	If    *keywords   `json:"if"`
	Then  *keywords   `json:"then"`
}

// types are the allowed types. The schema has one type, or a list.
type types []string

// UnmarshalJSON reads either.
func (t *types) UnmarshalJSON(text []byte) error {
	if one := ""; json.Unmarshal(text, &one) == nil {
		*t = types{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

type translator struct {
	definitions map[string]*keywords
	err         error // the first
}

func (t *translator) fail(path, format string, args ...any) {
	if t.err == nil {
		t.err = fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...))
	}
}

// resolve replaces a reference by what it refers to.
func (t *translator) resolve(path string, k *keywords) *keywords {
	reference := k.Ref
	if len(k.AllOf) == 1 {
		reference = k.AllOf[0].Ref
	} else if len(k.AllOf) > 1 {
		t.fail(path, "allOf of several")
	}
	if reference == "" {
		return k
	}
	target := t.definitions[strings.TrimPrefix(reference, "#/definitions/")]
	if target == nil {
		t.fail(path, "a reference to %s", reference)
		return k
	}
	resolved := *t.resolve(path, target)
	if k.Description != "" {
		resolved.Description = k.Description
	}
	return &resolved
}

func (t *translator) translate(path string, k *keywords) apiextensionsv1.JSONSchemaProps {
	k = t.resolve(path, k)
	to := apiextensionsv1.JSONSchemaProps{
		Description: k.Description,
		Minimum:     k.Minimum, Maximum: k.Maximum,
		MinLength: k.MinLength, MaxLength: k.MaxLength, Pattern: k.Pattern,
		MinItems: k.MinItems, MaxItems: k.MaxItems, MinProperties: k.MinProperties, MaxProperties: k.MaxProperties,
		Required: k.Required,
	}
	for _, allowed := range k.Enum {
		text, _ := json.Marshal(allowed) // a string
		to.Enum = append(to.Enum, apiextensionsv1.JSON{Raw: text})
	}
	switch {
	case len(k.Type) == 1:
		to.Type = k.Type[0]
	case slices.Contains(k.Type, "string"): // or a number; Kubernetes accepts integers only
		to.XIntOrString = true
		to.AnyOf = []apiextensionsv1.JSONSchemaProps{{Type: "integer"}, {Type: "string"}}
	default:
		t.fail(path, "the types %v", k.Type)
	}
	if to.Type == "integer" {
		to.Format = "int64"
	}
	if k.Items != nil {
		items := t.translate(path+"[]", k.Items)
		to.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &items}
	}
	t.object(path, k, &to)
	t.rules(path, k, &to)
	return to
}

// object translates the keywords of objects.
func (t *translator) object(path string, k *keywords, to *apiextensionsv1.JSONSchemaProps) {
	others := string(k.AdditionalProperties)
	if len(k.Properties) > 0 && strings.HasPrefix(others, "{") {
		// A structural schema has properties or additionalProperties. The policy refuses
		// unknown keys.
		k.Properties = nil
	}
	for name, property := range k.Properties {
		if to.Properties == nil {
			to.Properties = map[string]apiextensionsv1.JSONSchemaProps{}
		}
		to.Properties[name] = t.translate(path+"."+name, property)
	}
	if to.Type != "object" {
		return
	}
	switch others {
	case "false": // the default in a structural schema
	case "": // copied unchanged
		yes := true
		to.XPreserveUnknownFields = &yes
	default:
		var values keywords
		if err := json.Unmarshal(k.AdditionalProperties, &values); err != nil {
			t.fail(path, "additionalProperties: %v", err)
			return
		}
		translated := t.translate(path+"[*]", &values)
		to.AdditionalProperties = &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true, Schema: &translated}
	}
}

// rules translates keywords that compare fields into CEL. The messages are the $comments
// of the schema.
func (t *translator) rules(path string, k *keywords, to *apiextensionsv1.JSONSchemaProps) {
	add := func(rule, sentence string) {
		if sentence == "" {
			t.fail(path, "a rule without a $comment")
		}
		to.XValidations = append(to.XValidations, apiextensionsv1.ValidationRule{Rule: rule, Message: sentence})
	}
	if k.OneOf != nil {
		if len(k.OneOf) != 2 || len(k.OneOf[0].Required) != 1 || len(k.OneOf[1].Required) != 1 {
			t.fail(path, "oneOf of other things than two keys")
			return
		}
		add(fmt.Sprintf("has(self.%s) != has(self.%s)", k.OneOf[0].Required[0], k.OneOf[1].Required[0]), k.Comment)
	}
	if k.Not != nil && len(k.Not.Required) == 2 {
		add(fmt.Sprintf("!(has(self.%s) && has(self.%s))", k.Not.Required[0], k.Not.Required[1]), k.Not.Comment)
	} else if k.Not != nil && k.Not.Pattern == "" {
		t.fail(path, "not of other things than two keys or a pattern")
	} // not with a pattern would exceed the cost limit of CEL: the controller refuses it
	if k.If != nil {
		if len(k.If.Required) != 1 || k.Then == nil {
			t.fail(path, "if of other things than a key")
			return
		}
		for _, name := range slices.Sorted(maps.Keys(k.Then.Properties)) {
			property := k.Then.Properties[name]
			if property.Not == nil || !reflect.ValueOf(*property.Not).IsZero() {
				t.fail(path, "then of other things than a key that must be absent")
			}
			add(fmt.Sprintf("!(has(self.%s) && has(self.%s))", k.If.Required[0], name), name+" "+property.Comment)
		}
	}
}
