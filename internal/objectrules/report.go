package objectrules

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// report collects the faults of one object.
type report struct{ errors field.ErrorList }

func (r *report) add(errors ...*field.Error) { r.errors = append(r.errors, errors...) }

// addSorted adds the errors of a function that ranges over a map.
func (r *report) addSorted(errors field.ErrorList) {
	slices.SortFunc(errors, func(a, b *field.Error) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Error(), b.Error()))
	})
	r.add(errors...)
}

func (r *report) required(path *field.Path, detail string)  { r.add(field.Required(path, detail)) }
func (r *report) forbidden(path *field.Path, detail string) { r.add(field.Forbidden(path, detail)) }

func (r *report) invalid(path *field.Path, value any, detail string, args ...any) {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	r.add(field.Invalid(path, value, detail))
}

// format checks a required string with functions such as validation.IsDNS1123Label.
func (r *report) format(path *field.Path, value string, check func(string) []string) {
	if value == "" {
		r.required(path, "")
		return
	}
	for _, detail := range check(value) {
		r.invalid(path, value, "%s", detail)
	}
}

// optionalFormat is format for a string that may be empty.
func (r *report) optionalFormat(path *field.Path, value string, check func(string) []string) {
	if value != "" {
		r.format(path, value, check)
	}
}

func (r *report) notEmpty(path *field.Path, value string) {
	if value == "" {
		r.required(path, "")
	}
}

// id checks a number with validation.IsValidUserID or IsValidGroupID.
func (r *report) id(path *field.Path, value *int64, check func(int64) []string) {
	if value != nil {
		for _, detail := range check(*value) {
			r.invalid(path, *value, "%s", detail)
		}
	}
}

func (r *report) between(path *field.Path, value, least, most int64) {
	if value < least || value > most {
		r.invalid(path, value, "must be between %d and %d", least, most)
	}
}

func (r *report) atLeast(path *field.Path, value, least int64) {
	if value < least {
		r.invalid(path, value, "must be at least %d", least)
	}
}

// oneOf checks an enumeration without a default.
func oneOf[T ~string](r *report, path *field.Path, value T, allowed ...T) {
	switch {
	case slices.Contains(allowed, value):
	case value == "":
		r.required(path, "allowed: "+join(allowed))
	default:
		r.add(field.NotSupported(path, value, allowed))
	}
}

// defaulted is oneOf for an enumeration with a default.
func defaulted[T ~string](r *report, path *field.Path, value T, allowed ...T) {
	if value != "" {
		oneOf(r, path, value, allowed...)
	}
}

// optional is oneOf for a pointer.
func optional[T ~string](r *report, path *field.Path, value *T, allowed ...T) {
	if value != nil {
		oneOf(r, path, *value, allowed...)
	}
}

// unique reports each item that has the key of an earlier one. name is the field of the
// key in the item, or empty if the item is the key. Empty keys are not compared.
func unique[T any, K comparable](r *report, path *field.Path, name string, items []T, key func(*T) K) {
	var empty K
	seen := make(map[K]bool, len(items))
	for i := range items {
		k := key(&items[i])
		if k != empty && seen[k] {
			at := path.Index(i)
			if name != "" {
				at = at.Child(name)
			}
			r.add(field.Duplicate(at, k))
		}
		seen[k] = true
	}
}

func itself[T any](item *T) T { return *item }

// oneSource reports the fields of a struct of pointers, such as a VolumeSource, that are
// set besides the first one. It returns whether any is set.
func (r *report) oneSource(path *field.Path, source any) bool {
	set := sources(source)
	for _, name := range set[min(1, len(set)):] {
		r.forbidden(path.Child(name), "only one of "+strings.Join(set, " and ")+" may be set")
	}
	return len(set) > 0
}

// sources returns the JSON names of the pointers in a struct that are not nil.
func sources(source any) []string {
	var set []string
	value := reflect.ValueOf(source)
	for i := range value.NumField() {
		if f := value.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
			name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
			set = append(set, name)
		}
	}
	return set
}

func join[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return strings.Join(texts, ", ")
}

func deref[T any](pointer *T, unset T) T {
	if pointer == nil {
		return unset
	}
	return *pointer
}
