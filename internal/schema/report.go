package schema

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// report turns the errors of the validator into errors about values.
type report struct {
	schema any
	values map[string]any
	errors field.ErrorList
}

// collect walks down to what really failed: a composite such as allOf is only
// as wrong as its parts. Where the schema explains a oneOf or a not in its own
// words, that explanation stands for the parts.
func (r *report) collect(failure *jsonschema.ValidationError) {
	_, pointer, _ := strings.Cut(failure.AbsoluteKeywordLocation, "#")
	parent, keyword := cutLast(pointer)
	rule, _ := at(r.schema, parent).(map[string]any)
	switch {
	case keyword == "oneOf" && comment(rule) != "":
		r.add(field.Invalid(r.path(failure), r.summary(failure), comment(rule)))
	case len(failure.Causes) > 0:
		for _, cause := range failure.Causes {
			r.collect(cause)
		}
	default:
		r.explain(failure, keyword, rule)
	}
}

// explain adds the errors of one keyword of the schema.
func (r *report) explain(failure *jsonschema.ValidationError, keyword string, rule map[string]any) {
	path, instance := r.path(failure), r.instance(failure)
	switch keyword {
	case "additionalProperties":
		object, _ := instance.(map[string]any)
		known, _ := rule["properties"].(map[string]any)
		names := slices.Sorted(maps.Keys(known))
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if _, ok := known[key]; !ok {
				r.add(field.Forbidden(Child(path, key), unknownKey(key, names)))
			}
		}
	case "required":
		object, _ := instance.(map[string]any)
		required, _ := rule["required"].([]any)
		for _, key := range required {
			if _, ok := object[fmt.Sprint(key)]; !ok {
				r.add(field.Required(Child(path, fmt.Sprint(key)), description(rule, fmt.Sprint(key))))
			}
		}
	case "type":
		r.add(field.Invalid(path, r.summary(failure), wrongType(rule["type"], instance)))
	case "enum":
		allowed, _ := rule["enum"].([]any)
		r.add(field.NotSupported(path, r.summary(failure), texts(allowed)))
	case "minimum":
		r.add(field.Invalid(path, r.summary(failure), fmt.Sprintf("must be at least %s", number(rule["minimum"]))))
	case "maximum":
		r.add(field.Invalid(path, r.summary(failure), fmt.Sprintf("must not exceed %s", number(rule["maximum"]))))
	case "maxLength":
		r.add(field.TooLong(path, r.summary(failure), int(rule["maxLength"].(float64))))
	case "minItems", "minProperties":
		r.add(field.Required(path, "must not be empty"))
	case "not":
		not, _ := rule["not"].(map[string]any)
		r.add(field.Invalid(path, r.summary(failure), cmp.Or(comment(not), comment(rule), failure.Message)))
	default:
		r.add(field.Invalid(path, r.summary(failure), cmp.Or(comment(rule), failure.Message)))
	}
}

func (r *report) add(err *field.Error) { r.errors = append(r.errors, err) }

// Sort returns the errors by path, because the validator finds them in the order
// of Go's maps, and without what was found twice.
func Sort(errors field.ErrorList) field.ErrorList {
	slices.SortFunc(errors, func(a, b *field.Error) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Error(), b.Error()))
	})
	return slices.CompactFunc(errors, func(a, b *field.Error) bool { return a.Error() == b.Error() })
}

// path returns where in the values a failure is.
func (r *report) path(failure *jsonschema.ValidationError) *field.Path {
	var path *field.Path
	var node any = r.values
	for _, token := range tokens(failure.InstanceLocation) {
		if list, ok := node.([]any); ok {
			node = element(list, token)
			i, _ := strconv.Atoi(token)
			path = path.Index(i)
			continue
		}
		object, _ := node.(map[string]any)
		node = object[token]
		path = Child(path, token)
	}
	return path
}

// instance returns the value that failed; the key itself, where the rule is about keys.
func (r *report) instance(failure *jsonschema.ValidationError) any {
	if strings.Contains(failure.KeywordLocation, "/propertyNames/") {
		all := tokens(failure.InstanceLocation)
		return all[len(all)-1]
	}
	return at(r.values, failure.InstanceLocation)
}

// summary returns what to print of the value that failed: a long text is cut,
// and of what has parts only the type is said.
func (r *report) summary(failure *jsonschema.ValidationError) any {
	const most = 80
	switch instance := r.instance(failure).(type) {
	case string:
		if runes := []rune(instance); len(runes) > most {
			return string(runes[:most]) + "..."
		}
		return instance
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case nil:
		return "null"
	default:
		return instance
	}
}

var (
	plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	labelKey = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)
)

// Child returns the path of a key below a path. A key that is not a plain word
// stands in brackets, and in quotes where it could deceive a reader.
func Child(path *field.Path, key string) *field.Path {
	switch {
	case plainKey.MatchString(key) && path == nil:
		return field.NewPath(key)
	case plainKey.MatchString(key):
		return path.Child(key)
	case labelKey.MatchString(key):
		return path.Key(key)
	default:
		return path.Key(strconv.Quote(key))
	}
}

func cutLast(pointer string) (parent, last string) {
	i := strings.LastIndex(pointer, "/")
	if i < 0 {
		return "", pointer
	}
	return pointer[:i], pointer[i+1:]
}

// unescape undoes the percent-encoding of a pointer within a URL.
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

// description returns what the schema says of a property.
func description(rule map[string]any, key string) string {
	properties, _ := rule["properties"].(map[string]any)
	property, _ := properties[key].(map[string]any)
	text, _ := property["description"].(string)
	return text
}

// wrongType says which type is wanted. What YAML reads as a boolean or a number
// was often meant as a text: n, on and 1.10 are not texts until they are quoted.
func wrongType(types, instance any) string {
	sentence := fmt.Sprintf("must be %s, not %s", typeNames(types), typeOf(instance))
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

// number returns a number of the schema, which JSON reads as floating point, in plain digits.
func number(value any) string {
	if f, ok := value.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}
