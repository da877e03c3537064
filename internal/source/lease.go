package source

import (
	"maps"
	"slices"
	"strconv"

	yamlv4 "go.yaml.in/yaml/v4"
)

// Lease is what one lease says: the text of it, or its value.
type Lease struct {
	Name string
	// text is the line with the name and the lines below it, where that is plain;
	// otherwise there is the value.
	text  string
	value map[string]any
}

// LeaseOf returns a lease whose value is parsed already. It is not changed.
func LeaseOf(name string, value map[string]any) Lease { return Lease{Name: name, value: value} }

// standsAlone makes sure that the lease can be read without its file.
func (l *Lease) standsAlone() bool {
	var whole opening
	if l.plain(&whole) {
		return whole.object
	}
	values, document, err := read([]byte(l.text))
	if err != nil || len(values) != 1 || anchored(document) {
		return false
	}
	var isObject bool
	l.value, isObject = values[l.Name].(map[string]any)
	return isObject && document.Content[0].Style&yamlv4.FlowStyle == 0
}

// anchored says whether a node has an anchor, which other leases can refer to.
func anchored(node *yamlv4.Node) bool {
	return node.Anchor != "" || slices.ContainsFunc(node.Content, anchored)
}

// Visit tells the visitor of the lease's value.
func (l Lease) Visit(to Visitor) {
	if l.value == nil {
		l.plain(to)
		return
	}
	walk(l.value, to)
}

// Value returns the lease's value. It is shared: the caller must not change it.
func (l Lease) Value() map[string]any {
	if l.value != nil {
		return l.value
	}
	var b Builder
	l.plain(&b)
	value, _ := b.Value().(map[string]any)
	return value
}

// walk tells the visitor of a value, whose keys it orders.
func walk(value any, to Visitor) {
	switch value := value.(type) {
	case map[string]any:
		to.Object()
		for _, key := range slices.Sorted(maps.Keys(value)) {
			to.Key(key)
			walk(value[key], to)
		}
		to.End()
	case []any:
		to.List()
		for _, item := range value {
			walk(item, to)
		}
		to.End()
	case string:
		to.String(value)
	case bool:
		to.Bool(value)
	case float64:
		to.Number(strconv.FormatFloat(value, 'f', -1, 64))
	case nil:
		to.Null()
	case int64:
		to.Number(strconv.FormatInt(value, 10))
	}
}

// opening is a visitor that only wants to know whether the value is an object.
type opening struct{ object, begun bool }

func (o *opening) Object()       { o.object = o.object || !o.begun; o.begun = true }
func (o *opening) List()         { o.begun = true }
func (o *opening) End()          {}
func (o *opening) Key(string)    {}
func (o *opening) String(string) { o.begun = true }
func (o *opening) Number(string) { o.begun = true }
func (o *opening) Bool(bool)     { o.begun = true }
func (o *opening) Null()         { o.begun = true }
