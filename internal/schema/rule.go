package schema

import (
	"math"
	"reflect"
	"slices"
	"unicode/utf8"
)

// rule is a schema in a form that says yes fast. The validator, which says what
// is wrong, takes twenty times as long, and most values are right. There is a
// rule only where all keywords of the whole schema are known here; a test holds
// what it decides about our own schema to the validator.
type rule struct {
	types            []string // any, where there are none
	enum             []any
	minimum, maximum float64

	minLength, maxLength int
	pattern              func() *pattern // nil where there is none

	items    *rule
	minItems int

	properties    map[string]*rule
	additional    *rule // of properties that are not named
	closed        bool  // there may be no such properties
	names         *rule
	required      []string
	minProperties int

	all, one   []*rule
	not        *rule
	when, then *rule
}

// accepts says whether a value, which holds only what JSON can, is right.
func (r *rule) accepts(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return r.acceptsObject(value)
	case []any:
		return r.acceptsList(value)
	case string:
		return r.acceptsText(value)
	case float64:
		return r.acceptsNumber(value)
	case int64:
		return r.acceptsNumber(float64(value))
	case bool:
		return r.allows("boolean") && r.lists(value) && r.combined(func(part *rule) bool { return part.accepts(value) })
	case nil:
		return r.allows("null") && r.lists(nil) && r.combined(func(part *rule) bool { return part.accepts(nil) })
	default:
		return false
	}
}

func (r *rule) allows(kind string) bool { return r.types == nil || slices.Contains(r.types, kind) }

// lists says whether the value is one of an enum, where there is any.
func (r *rule) lists(value any) bool {
	return r.enum == nil || slices.ContainsFunc(r.enum, func(allowed any) bool { return reflect.DeepEqual(allowed, value) })
}

// combined applies the keywords that combine schemas.
func (r *rule) combined(accepts func(*rule) bool) bool {
	for _, part := range r.all {
		if !accepts(part) {
			return false
		}
	}
	if r.one != nil {
		accepted := 0
		for _, part := range r.one {
			if accepts(part) {
				accepted++
			}
		}
		if accepted != 1 {
			return false
		}
	}
	if r.not != nil && accepts(r.not) {
		return false
	}
	return r.when == nil || r.then == nil || !accepts(r.when) || accepts(r.then)
}

func (r *rule) acceptsText(text string) bool {
	if !r.allows("string") || r.pattern != nil && !r.pattern().matches(text) {
		return false
	}
	if r.minLength > 0 || r.maxLength < len(text) {
		if length := utf8.RuneCountInString(text); length < r.minLength || length > r.maxLength {
			return false
		}
	}
	return (r.enum == nil || r.lists(text)) && r.combined(func(part *rule) bool { return part.acceptsText(text) })
}

func (r *rule) acceptsNumber(number float64) bool {
	whole := number == math.Trunc(number)
	return (r.allows("number") || whole && r.allows("integer")) &&
		number >= r.minimum && number <= r.maximum && (r.enum == nil || r.lists(number)) &&
		r.combined(func(part *rule) bool { return part.acceptsNumber(number) })
}

func (r *rule) acceptsList(list []any) bool {
	if !r.allows("array") || len(list) < r.minItems {
		return false
	}
	if r.items != nil {
		for _, item := range list {
			if !r.items.accepts(item) {
				return false
			}
		}
	}
	return r.lists(list) && r.combined(func(part *rule) bool { return part.acceptsList(list) })
}

func (r *rule) acceptsObject(object map[string]any) bool {
	if !r.allows("object") || len(object) < r.minProperties {
		return false
	}
	for _, name := range r.required {
		if _, ok := object[name]; !ok {
			return false
		}
	}
	for name, value := range object {
		if r.names != nil && !r.names.acceptsText(name) {
			return false
		}
		property, named := r.properties[name]
		switch {
		case named:
			if !property.accepts(value) {
				return false
			}
		case r.closed, r.additional != nil && !r.additional.accepts(value):
			return false
		}
	}
	return r.lists(object) && r.combined(func(part *rule) bool { return part.acceptsObject(object) })
}
