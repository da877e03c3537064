package schema

import (
	"math"
	"strings"
	"sync"
)

// rules makes rules of a schema.
type rules struct {
	document any
	known    map[string]*rule // by reference
	unclear  bool             // there is a keyword that is not known here
}

// newRule returns the rule of a schema of draft 7, nil where it has keywords that
// are not known here.
func newRule(document any) *rule {
	if keywords, _ := document.(map[string]any); keywords["$schema"] != "http://json-schema.org/draft-07/schema#" {
		return nil // other drafts mean other things by the same keywords
	}
	r := rules{document: document, known: map[string]*rule{}}
	root := r.of(document)
	if r.unclear {
		return nil
	}
	return root
}

// of returns the rule of one part of the schema.
func (r *rules) of(part any) *rule {
	to := &rule{minimum: math.Inf(-1), maximum: math.Inf(1), maxLength: math.MaxInt}
	keywords, isObject := part.(map[string]any)
	if !isObject {
		r.unclear = true
		return to
	}
	if reference, isReference := keywords["$ref"].(string); isReference { // what stands beside it does not count
		to.all = []*rule{r.referred(reference)}
		return to
	}
	for keyword, value := range keywords {
		r.add(to, keyword, value)
	}
	return to
}

func (r *rules) referred(reference string) *rule {
	if known, ok := r.known[reference]; ok {
		return known
	}
	to := new(rule) // known before it is made, because it may refer to itself
	r.known[reference] = to
	pointer, inHere := strings.CutPrefix(reference, "#")
	if !inHere {
		r.unclear = true
		return to
	}
	*to = *r.of(at(r.document, pointer))
	return to
}

func (r *rules) list(value any) []*rule {
	var all []*rule
	parts, _ := value.([]any)
	for _, part := range parts {
		all = append(all, r.of(part))
	}
	return all
}

// add adds a keyword to a rule.
func (r *rules) add(to *rule, keyword string, value any) {
	switch value := value.(type) {
	case float64:
		switch keyword {
		case "minimum":
			to.minimum = value
		case "maximum":
			to.maximum = value
		case "minLength":
			to.minLength = int(value)
		case "maxLength":
			to.maxLength = int(value)
		case "minItems":
			to.minItems = int(value)
		case "minProperties":
			to.minProperties = int(value)
		default:
			r.unclear = true
		}
	case string:
		switch keyword {
		case "type":
			to.types = []string{value}
		case "pattern":
			to.pattern = sync.OnceValue(func() *pattern { return newPattern(value) })
		case "$schema", "$comment", "title", "description":
		default:
			r.unclear = true
		}
	case []any:
		switch keyword {
		case "type":
			to.types = texts(value)
		case "enum":
			to.enum = value
		case "required":
			to.required = texts(value)
		case "allOf":
			to.all = r.list(value)
		case "oneOf":
			to.one = r.list(value)
		default:
			r.unclear = true
		}
	case bool:
		to.closed = keyword == "additionalProperties" && !value
		r.unclear = r.unclear || !to.closed
	case map[string]any:
		r.addPart(to, keyword, value)
	default:
		r.unclear = true
	}
}

// addPart adds a keyword whose value is a schema, or an object of schemas.
func (r *rules) addPart(to *rule, keyword string, value map[string]any) {
	switch keyword {
	case "properties":
		to.properties = make(map[string]*rule, len(value))
		for name, part := range value {
			to.properties[name] = r.of(part)
		}
	case "additionalProperties":
		to.additional = r.of(value)
	case "propertyNames":
		to.names = r.of(value)
	case "items":
		to.items = r.of(value)
	case "not":
		to.not = r.of(value)
	case "if":
		to.when = r.of(value)
	case "then":
		to.then = r.of(value)
	case "definitions": // read where something refers to them
	default:
		r.unclear = true
	}
}
