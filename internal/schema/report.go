package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/spelling"
)

// report converts the validator's errors to field errors.
type report struct {
	schema any
	values map[string]any
	errors field.ErrorList
}

// collect adds the errors of the keywords that failed. For a composite such as allOf, it
// reports the parts. For a oneOf with a $comment beside it, it reports the comment instead.
func (r *report) collect(failure *jsonschema.ValidationError) {
	_, pointer, _ := strings.Cut(failure.AbsoluteKeywordLocation, "#")
	parent, keyword := cutLast(pointer)
	rule, _ := at(r.schema, parent).(map[string]any)
	switch {
	case keyword == "oneOf" && comment(rule) != "":
		r.add(field.Invalid(r.path(failure).Field(), r.summary(failure), comment(rule)))
	case len(failure.Causes) > 0:
		for _, cause := range failure.Causes {
			r.collect(cause)
		}
	default:
		r.explain(failure, keyword, rule)
	}
}

// explain adds the errors of one keyword that failed.
func (r *report) explain(failure *jsonschema.ValidationError, keyword string, rule map[string]any) {
	path, instance := r.path(failure), r.instance(failure)
	switch keyword {
	case "additionalProperties":
		object, _ := instance.(map[string]any)
		known, _ := rule["properties"].(map[string]any)
		names := slices.Sorted(maps.Keys(known))
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if _, ok := known[key]; !ok {
				r.add(field.Forbidden(path.Child(fieldpath.Key(key)).Field(), unknownKey(key, names)))
			}
		}
	case "required":
		object, _ := instance.(map[string]any)
		required, _ := rule["required"].([]any)
		if known := r.known(failure); len(known) > 0 && !hasAny(object, required) {
			if name := path[len(path)-1].Key; spelling.Nearest(name, known) != "" {
				r.add(field.Forbidden(path.Field(), unknownKey(name, known)))
				return
			}
		}
		for _, key := range required {
			if _, ok := object[fmt.Sprint(key)]; !ok {
				r.add(field.Required(path.Child(fieldpath.Key(fmt.Sprint(key))).Field(), setIt(rule, fmt.Sprint(key))))
			}
		}
	case "type":
		r.add(field.Invalid(path.Field(), r.summary(failure), wrongType(rule["type"], instance, r.unit(path))))
	case "enum":
		allowed, _ := rule["enum"].([]any)
		r.add(field.NotSupported(path.Field(), r.summary(failure), texts(allowed)))
	case "minimum":
		r.add(field.Invalid(path.Field(), r.summary(failure), fmt.Sprintf("must be at least %s", number(rule["minimum"]))))
	case "maximum":
		r.add(field.Invalid(path.Field(), r.summary(failure), fmt.Sprintf("must not exceed %s", number(rule["maximum"]))))
	case "maxLength":
		r.add(field.TooLong(path.Field(), r.summary(failure), int(rule["maxLength"].(float64))))
	case "maxItems", "maxProperties":
		r.add(field.TooMany(path.Field(), length(instance), int(rule[keyword].(float64))))
	case "minItems", "minProperties":
		r.add(field.Required(path.Field(), "must not be empty"))
	case "not":
		not, _ := rule["not"].(map[string]any)
		r.add(field.Invalid(path.Field(), r.summary(failure), cmp.Or(comment(not), comment(rule), failure.Message)))
	default:
		r.add(field.Invalid(path.Field(), r.summary(failure), cmp.Or(comment(rule), failure.Message)))
	}
}

// known returns the fixed keys of an object that also allows free keys
// (additionalProperties). It returns nil unless the value of a free key failed.
func (r *report) known(failure *jsonschema.ValidationError) []string {
	parent, ok := strings.CutSuffix(failure.KeywordLocation, "/additionalProperties/$ref/required")
	if !ok {
		return nil
	}
	rule, _ := at(r.schema, parent).(map[string]any)
	properties, _ := rule["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(properties))
}

func hasAny(object map[string]any, keys []any) bool {
	return slices.ContainsFunc(keys, func(key any) bool { _, ok := object[fmt.Sprint(key)]; return ok })
}

func (r *report) add(err *field.Error) { r.errors = append(r.errors, err) }

// Sort sorts the errors by path, and removes duplicates. The validator reports them in the
// random order of Go's maps.
func Sort(errors field.ErrorList) field.ErrorList {
	slices.SortFunc(errors, func(a, b *field.Error) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Error(), b.Error()))
	})
	return slices.CompactFunc(errors, func(a, b *field.Error) bool { return a.Error() == b.Error() })
}

// path returns the path of the value that failed.
func (r *report) path(failure *jsonschema.ValidationError) fieldpath.Path {
	var path fieldpath.Path
	var node any = r.values
	for _, token := range tokens(failure.InstanceLocation) {
		if list, isList := node.([]any); isList {
			i, _ := strconv.Atoi(token)
			path = append(path, fieldpath.Index(i))
			node = element(list, token)
			continue
		}
		object, _ := node.(map[string]any)
		path = append(path, fieldpath.Key(token))
		node = object[token]
	}
	return path
}

// instance returns the value that failed, or the key if the keyword is propertyNames.
func (r *report) instance(failure *jsonschema.ValidationError) any {
	if strings.Contains(failure.KeywordLocation, "/propertyNames/") {
		all := tokens(failure.InstanceLocation)
		return all[len(all)-1]
	}
	return at(r.values, failure.InstanceLocation)
}

// summary returns how to print the value that failed: it truncates a long string, and does
// not print a map, a list or null, because the message says what it is.
func (r *report) summary(failure *jsonschema.ValidationError) any {
	const most = 80
	switch instance := r.instance(failure).(type) {
	case string:
		if runes := []rune(instance); len(runes) > most {
			return string(runes[:most]) + "..."
		}
		return instance
	case map[string]any, []any, nil:
		return field.OmitValueType{}
	default:
		return instance
	}
}

// length returns the number of items of a list or keys of a map.
func length(instance any) int {
	if list, isList := instance.([]any); isList {
		return len(list)
	}
	object, _ := instance.(map[string]any)
	return len(object)
}

func cutLast(pointer string) (parent, last string) {
	i := strings.LastIndex(pointer, "/")
	if i < 0 {
		return "", pointer
	}
	return pointer[:i], pointer[i+1:]
}

// unescape decodes the percent-encoding of a part of a JSON pointer in a URL.
func unescape(part string) string {
	if plain, err := url.PathUnescape(part); err == nil {
		return plain
	}
	return part
}

func comment(rule map[string]any) string {
	text, _ := rule["$comment"].(string)
	return text
}

// setIt returns the message for a required key that is absent: an example from the schema,
// or its description.
func setIt(rule map[string]any, key string) string {
	properties, _ := rule["properties"].(map[string]any)
	property, _ := properties[key].(map[string]any)
	if examples, _ := property["examples"].([]any); len(examples) > 0 {
		if text, err := json.Marshal(examples[0]); err == nil {
			return "set it, such as " + string(text)
		}
	}
	if text, _ := property["description"].(string); text != "" {
		return "set it: " + strings.TrimSuffix(strings.ToLower(text[:1])+text[1:], ".")
	}
	return "set it"
}

// wrongType returns the message for a value of a wrong type. It suggests quotes for a
// boolean or number in the place of a string, such as on or 1.10, and a number for a string
// in the place of one.
func wrongType(types, instance any, unit string) string {
	wanted := typeNames(types)
	if types == "integer" {
		if unit != "" {
			wanted += " number of " + unit
		}
		if text, isString := instance.(string); isString {
			if advice := numberOf(text, unit); advice != "" {
				return fmt.Sprintf("must be %s: %s", wanted, advice)
			}
		}
	}
	sentence := fmt.Sprintf("must be %s, not %s", wanted, typeOf(instance))
	switch instance.(type) {
	case nil, string, []any, map[string]any:
		return sentence
	}
	if types == "string" {
		sentence += ": quote it"
	}
	return sentence
}

func typeNames(types any) string {
	list, ok := types.([]any)
	if !ok {
		list = []any{types}
	}
	names := texts(list)
	for i, name := range names {
		names[i] = article(name)
	}
	return strings.Join(names, " or ")
}

func typeOf(instance any) string {
	switch value := instance.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	default:
		return fmt.Sprintf("the number %v", value)
	}
}

func article(name string) string {
	if strings.ContainsRune("aeio", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

func texts(list []any) []string {
	result := make([]string, len(list))
	for i, item := range list {
		result[i] = fmt.Sprint(item)
	}
	return result
}

// number returns a number of the schema in plain digits.
func number(value any) string {
	if f, ok := value.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// unknownKey returns the message for an unknown key, with the key that was probably
// meant and the keys that are known.
func unknownKey(key string, known []string) string {
	sentence := "unknown key"
	if best := spelling.Nearest(key, known); best != "" {
		sentence = fmt.Sprintf("unknown key, did you mean %q?", best)
	}
	return fmt.Sprintf("%s (known here: %s)", sentence, strings.Join(known, ", "))
}
