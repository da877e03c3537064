package cut

import (
	"fmt"
	"reflect"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Object is a typed object that was decoded from a marked text. T is a struct.
type Object[T any] struct {
	marked   T
	places   []place
	copyInto func(from, to *T)
}

// place is where a mark stands in an object, and what is put there.
type place struct {
	steps []step
	text  Text
}

// step leads from a value to one of its parts: a field or an element by its
// index, an entry of a map by its key. Pointers are followed without a step.
type step struct {
	index int
	key   reflect.Value
}

// NewObject finds the marks in an object: in texts, in quantities and, where the
// mark consists of digits, in numbers. It keeps the object, and copies it with
// the function, which is the DeepCopyInto of the type.
func NewObject[T any](m Marks, marked T, copyInto func(from, to *T)) *Object[T] {
	o := &Object[T]{marked: marked, copyInto: copyInto}
	m.find(reflect.ValueOf(&o.marked), nil, &o.places)
	return o
}

var quantityType = reflect.TypeFor[resource.Quantity]()

func (m Marks) find(v reflect.Value, steps []step, places *[]place) {
	add := func(text string) {
		if cut := m.Text(text); cut.Marked() {
			*places = append(*places, place{steps: append([]step(nil), steps...), text: cut})
		}
	}
	if v.Type() == quantityType {
		q := v.Interface().(resource.Quantity)
		add(q.String())
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			m.find(v.Elem(), steps, places)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				m.find(v.Field(i), append(steps, step{index: i}), places)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			m.find(v.Index(i), append(steps, step{index: i}), places)
		}
	case reflect.Map:
		for entry := v.MapRange(); entry.Next(); {
			m.find(entry.Value(), append(steps, step{key: entry.Key()}), places)
		}
	case reflect.String:
		add(v.String())
	case reflect.Int, reflect.Int32, reflect.Int64:
		add(strconv.FormatInt(v.Int(), 10))
	}
}

// Fill returns a copy of the object with the fillings put in.
func (o *Object[T]) Fill(fillings []string) (*T, error) {
	filled := new(T)
	o.copyInto(&o.marked, filled)
	for _, p := range o.places {
		if err := set(reflect.ValueOf(filled).Elem(), p.steps, p.text.Fill(fillings)); err != nil {
			return nil, err
		}
	}
	return filled, nil
}

// set puts a text where the steps lead.
func set(v reflect.Value, steps []step, text string) error {
	for v.Kind() == reflect.Pointer && v.Type().Elem() != quantityType {
		v = v.Elem()
	}
	if len(steps) == 0 {
		return setLeaf(v, text)
	}
	next := steps[0]
	switch v.Kind() {
	case reflect.Struct:
		return set(v.Field(next.index), steps[1:], text)
	case reflect.Slice:
		return set(v.Index(next.index), steps[1:], text)
	case reflect.Map: // an entry of a map cannot be changed, but replaced
		entry := reflect.New(v.Type().Elem()).Elem()
		entry.Set(v.MapIndex(next.key))
		if err := set(entry, steps[1:], text); err != nil {
			return err
		}
		v.SetMapIndex(next.key, entry)
		return nil
	default:
		return fmt.Errorf("cannot fill a %s", v.Type())
	}
}

func setLeaf(v reflect.Value, text string) error {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case v.Type() == quantityType:
		quantity := new(resource.Quantity)
		if err := quantity.UnmarshalJSON([]byte(strconv.Quote(text))); err != nil {
			return fmt.Errorf("fill %q: %w", text, err)
		}
		v.Set(reflect.ValueOf(*quantity))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.CanInt():
		number, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("fill: %w", err)
		}
		v.SetInt(number)
	default:
		return fmt.Errorf("cannot fill a %s with %q", v.Type(), text)
	}
	return nil
}
