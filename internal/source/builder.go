package source

import (
	"strconv"
	"strings"
)

// Builder is a Visitor that builds the value that it is told, as Read returns it.
// It keeps no part of the text.
type Builder struct {
	value any
	open  []any    // objects and lists, the innermost last
	keys  []string // the key of the next value in each
}

// Value returns what was built.
func (b *Builder) Value() any { return b.value }

// Object begins an object.
func (b *Builder) Object() { b.begin(map[string]any{}) }

// List begins a list.
func (b *Builder) List() { b.begin([]any{}) }

func (b *Builder) begin(value any) {
	b.open = append(b.open, value)
	b.keys = append(b.keys, "")
}

// End ends an object or a list.
func (b *Builder) End() {
	last := len(b.open) - 1
	value := b.open[last]
	b.open, b.keys = b.open[:last], b.keys[:last]
	b.add(value)
}

// Key is the key of the next value.
func (b *Builder) Key(key string) { b.keys[len(b.keys)-1] = strings.Clone(key) }

// String adds a text.
func (b *Builder) String(text string) { b.add(strings.Clone(text)) }

// Number adds a number.
func (b *Builder) Number(text string) {
	number, _ := strconv.ParseFloat(text, 64) // a Visitor is told no others
	b.add(number)
}

// Bool adds a boolean.
func (b *Builder) Bool(value bool) { b.add(value) }

// Null adds a null.
func (b *Builder) Null() { b.add(nil) }

func (b *Builder) add(value any) {
	if len(b.open) == 0 {
		b.value = value
		return
	}
	last := len(b.open) - 1
	switch open := b.open[last].(type) {
	case map[string]any:
		open[b.keys[last]] = value
	case []any:
		b.open[last] = append(open, value)
	}
}
