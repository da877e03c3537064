package source

import (
	"maps"
	"slices"
	"strconv"

	yamlv4 "go.yaml.in/yaml/v4"
)

// Lease is what one lease says.
type Lease struct {
	Name string
	body body
}

// body is the value of a lease, or the text of it.
type body interface {
	visit(to Visitor)
	value() map[string]any
}

// LeaseOf returns a lease whose value is parsed already. It is not changed.
func LeaseOf(name string, value map[string]any) Lease { return Lease{name, object(value)} }

// Visit tells the visitor of the lease's value.
func (l Lease) Visit(to Visitor) { l.body.visit(to) }

// Value returns the lease's value. It may be shared: the caller must not change it.
func (l Lease) Value() map[string]any { return l.body.value() }

// object is a body that is parsed already.
type object map[string]any

func (o object) visit(to Visitor)      { walk(map[string]any(o), to) }
func (o object) value() map[string]any { return o }

// plainText is the line with the name of a lease and the lines below it, of the
// plain kind that readPlain reads.
type plainText struct{ name, text string }

func (p plainText) visit(to Visitor) { readPlain(p.name, p.text, to) }

func (p plainText) value() map[string]any {
	var b Builder
	p.visit(&b)
	value, _ := b.Value().(map[string]any)
	return value
}

// newBody reads the text of a lease by itself. It returns false where it does not
// mean by itself what it means in its file.
func newBody(name, text string) (body, bool) {
	var whole opening
	if readPlain(name, text, &whole) {
		return plainText{name, text}, whole.object
	}
	values, document, err := read([]byte(text))
	if err != nil || len(values) != 1 || anchored(document) || document.Content[0].Style&yamlv4.FlowStyle != 0 {
		return nil, false
	}
	value, isObject := values[name].(map[string]any)
	return object(value), isObject
}

// anchored says whether a node has an anchor, which other leases can refer to.
func anchored(node *yamlv4.Node) bool {
	return node.Anchor != "" || slices.ContainsFunc(node.Content, anchored)
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
