package preview

import (
	"math"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/fieldpath"
)

var rawJSON = reflect.TypeFor[v1alpha1.RawJSON]()

// asStored returns a value as the API server stores a field of type typ: without keys
// that are null, because no field is nullable. It does not change RawJSON, null items of
// lists and unknown keys. It refuses a quantity that is a fraction, which the schema of
// the values accepts and the API server does not.
func asStored(value any, typ reflect.Type, path fieldpath.Path) (any, field.ErrorList) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch value := value.(type) {
	case map[string]any:
		if typ == rawJSON {
			return value, nil
		}
		return objectAsStored(value, typ, path)
	case []any:
		if typ.Kind() != reflect.Slice {
			return value, nil
		}
		var refused field.ErrorList
		stored := make([]any, len(value))
		for i, item := range value {
			var reasons field.ErrorList
			stored[i], reasons = asStored(item, typ.Elem(), path.Child(fieldpath.Index(i)))
			refused = append(refused, reasons...)
		}
		return stored, refused
	case float64:
		if typ == rawJSON && value != math.Trunc(value) {
			return value, field.ErrorList{field.Invalid(path.Field(), value, "must be a whole number or a string: quote it")}
		}
	}
	return value, nil
}

func objectAsStored(object map[string]any, typ reflect.Type, path fieldpath.Path) (any, field.ErrorList) {
	var refused field.ErrorList
	stored := make(map[string]any, len(object))
	for key, value := range object {
		below, known := typeOf(typ, key)
		switch {
		case !known:
			stored[key] = value
		case value != nil:
			var reasons field.ErrorList
			stored[key], reasons = asStored(value, below, path.Child(fieldpath.Key(key)))
			refused = append(refused, reasons...)
		}
	}
	return stored, refused
}

// typeOf returns the type of the field of a struct with a JSON name, or of the values of
// a map. It reports false if there is no such field.
func typeOf(typ reflect.Type, key string) (reflect.Type, bool) {
	switch typ.Kind() {
	case reflect.Map:
		return typ.Elem(), true
	case reflect.Struct:
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == key {
				return f.Type, true
			}
			if f.Anonymous && name == "" {
				if inner, known := typeOf(f.Type, key); known {
					return inner, true
				}
			}
		}
	}
	return nil, false
}
