package schema

// Leaf is what the schema says about one text or number, where the rest of the
// values does not matter. It is for values of which thousands differ only there.
type Leaf struct {
	rules []*rule
}

// Leaf returns what the schema says about the value at a path, whose parts are
// keys and the indices of lists. It returns false where that depends on other
// values, or is not known.
func (s *Schema) Leaf(path ...string) (Leaf, bool) {
	var leaf Leaf
	ok := s.rule != nil && leaf.collect(s.rule, path)
	return leaf, ok
}

// Key returns what the schema says about the keys of the object at a path.
func (s *Schema) Key(path ...string) (Leaf, bool) {
	object, ok := s.Leaf(path...)
	var keys Leaf
	for _, rule := range object.rules {
		keys.rules = append(keys.rules, rule.keys()...)
	}
	return keys, ok
}

// keys returns what a rule says about the keys of an object.
func (r *rule) keys() []*rule {
	var keys []*rule
	if r.names != nil {
		keys = append(keys, r.names)
	}
	for _, part := range r.all {
		keys = append(keys, part.keys()...)
	}
	return keys
}

// collect adds what a rule says about the value at a path below it.
func (l *Leaf) collect(r *rule, path []string) bool {
	if len(path) == 0 {
		l.rules = append(l.rules, r)
		return true
	}
	if r.enum != nil {
		return false
	}
	for _, condition := range append([]*rule{r.not, r.when, r.then}, r.one...) {
		if condition != nil && condition.sees(path) {
			return false
		}
	}
	for _, part := range r.all {
		if !l.collect(part, path) {
			return false
		}
	}
	next, named := r.properties[path[0]]
	if !named {
		next = r.additional
	}
	if r.items != nil && next == nil {
		next = r.items
	}
	return next == nil || l.collect(next, path[1:])
}

// sees says whether a rule has anything to say about the value at a path.
func (r *rule) sees(path []string) bool {
	var leaf Leaf
	return !leaf.collect(r, path) || len(leaf.rules) > 0
}

// AcceptsText says whether the schema accepts a text.
func (l *Leaf) AcceptsText(text string) bool {
	for _, rule := range l.rules {
		if !rule.acceptsText(text) {
			return false
		}
	}
	return true
}

// AcceptsNumber says whether the schema accepts a number.
func (l *Leaf) AcceptsNumber(number float64) bool {
	for _, rule := range l.rules {
		if !rule.acceptsNumber(number) {
			return false
		}
	}
	return true
}
