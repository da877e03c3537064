package manifest

import (
	"math"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/schema"
)

var (
	verbatim = reflect.TypeFor[v1alpha1.RawJSON]()
	quantity = reflect.TypeFor[v1alpha1.RawJSON]()
)

// asStored returns a value of a type as the API server stores it: without the
// keys that are null, of which none is nullable. What is Kubernetes' to define is
// left as it is, and so are the items of lists and what has no place in the type.
// What the server refuses although values may have it is an error: a fraction in
// the place of a quantity.
func asStored(value any, typ reflect.Type, path *field.Path) (any, field.ErrorList) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch value := value.(type) {
	case map[string]any:
		if typ == verbatim {
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
			stored[i], reasons = asStored(item, typ.Elem(), path.Index(i))
			refused = append(refused, reasons...)
		}
		return stored, refused
	case float64:
		if typ == quantity && value != math.Trunc(value) {
			return value, field.ErrorList{field.Invalid(path, value, "must be a whole number or a string: quote it")}
		}
	}
	return value, nil
}

func objectAsStored(object map[string]any, typ reflect.Type, path *field.Path) (any, field.ErrorList) {
	var refused field.ErrorList
	stored := make(map[string]any, len(object))
	for key, value := range object {
		below, known := typeOf(typ, key)
		switch {
		case !known:
			stored[key] = value
		case value != nil:
			var reasons field.ErrorList
			stored[key], reasons = asStored(value, below, schema.Child(path, key))
			refused = append(refused, reasons...)
		}
	}
	return stored, refused
}

// typeOf returns the type of what stands under a key of a struct or a map.
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
