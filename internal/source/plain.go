package source

import "strings"

// Visitor is told the parts of a value in the order in which they are read.
type Visitor interface {
	// Object begins an object, List a list, and End ends either.
	Object()
	List()
	End()
	// Key is the key of an object's next value.
	Key(key string)
	String(text string)
	// Number is a number as YAML writes it: 12, or 0.5.
	Number(text string)
	Bool(value bool)
	Null()
}

// readPlain tells the visitor of the value of a lease, where its text is of the
// plain kind in which fleets are written: block style, flow style within a line,
// comments, texts that need no escapes. It returns false where the text is of
// another kind, or wrong; what the visitor heard until then means nothing.
//
// It does not decide what YAML means: it takes only what has one meaning in any
// version of YAML, and leaves the rest to read. A fuzz test holds it to that.
func readPlain(name, text string, to Visitor) bool {
	p := plainReader{text: text, to: to}
	p.keys = p.memory[:0]
	if !p.next() || p.ended {
		return false
	}
	column := p.indent
	if header, ok := p.key(); !ok || header != name {
		return false
	}
	p.spaces()
	return p.entry(column) && p.ended
}

// YAML has limits, too, that are wider than these.
const (
	longestKey = 128
	deepest    = 64
	mostKeys   = 64 // of one object: to find one that stands twice takes the square of it
)

// plainReader reads a text. All its methods return false where the text is not plain.
type plainReader struct {
	text   string
	at     int // the next byte
	line   int // where the line begins
	indent int // the column at which the line, or an entry within it, begins
	ended  bool
	to     Visitor
	keys   []string // of the objects that are open
	memory [24]string
	depth  int // of the objects and lists that are open
}

// next goes to the next line that says something, and marks the end.
func (p *plainReader) next() bool {
	for p.at < len(p.text) {
		p.line = p.at
		for p.at < len(p.text) && p.text[p.at] == ' ' {
			p.at++
		}
		if p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '#' {
			p.indent = p.at - p.line
			return true
		}
		if !p.rest() {
			return false
		}
	}
	p.ended = true
	return true
}

// rest skips what may follow a value in its line: spaces and a comment.
func (p *plainReader) rest() bool {
	p.spaces()
	if p.at < len(p.text) && p.text[p.at] == '#' && (p.at == 0 || p.text[p.at-1] == ' ' || p.text[p.at-1] == '\n') {
		for p.at < len(p.text) && p.text[p.at] >= ' ' && p.text[p.at] <= '~' {
			p.at++
		}
	}
	if p.at == len(p.text) {
		return true
	}
	if p.text[p.at] != '\n' {
		return false
	}
	p.at++
	return true
}

func (p *plainReader) spaces() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

// descend and ascend stand around what is within an object or a list.
func (p *plainReader) descend() bool { p.depth++; return p.depth <= deepest }
func (p *plainReader) ascend()       { p.depth-- }

// block reads the object or the list whose entries begin at a column.
func (p *plainReader) block(column int) bool {
	if p.dash() {
		return p.list(column)
	}
	return p.object(column)
}

// dash says whether an entry of a list begins here.
func (p *plainReader) dash() bool {
	return strings.HasPrefix(p.text[p.at:], "- ")
}

func (p *plainReader) object(column int) bool {
	if !p.descend() {
		return false
	}
	defer p.ascend()
	p.to.Object()
	first := len(p.keys)
	for {
		key, ok := p.key()
		if !ok || !p.new(key, first) {
			return false
		}
		p.to.Key(key)
		if !p.entry(column) {
			return false
		}
		if p.ended || p.indent < column {
			break
		}
		if p.indent > column || p.dash() {
			return false
		}
	}
	p.keys = p.keys[:first]
	p.to.End()
	return true
}

// entry reads what stands after a key of an object at a column: a value in the
// line, or a block below it. A key without a value means null, which is not plain.
func (p *plainReader) entry(column int) bool {
	p.spaces()
	if p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '#' {
		return p.value(false) && p.rest() && p.next()
	}
	if !p.rest() || !p.next() || p.ended {
		return false
	}
	if p.indent == column && p.dash() {
		return p.list(column)
	}
	return p.indent > column && p.block(p.indent)
}

func (p *plainReader) list(column int) bool {
	if !p.descend() {
		return false
	}
	defer p.ascend()
	p.to.List()
	for {
		p.at += len("-")
		p.spaces()
		p.indent = p.at - p.line
		if p.at == len(p.text) || p.text[p.at] == '\n' || p.text[p.at] == '#' || p.dash() {
			return false
		}
		if p.keyAhead() {
			if !p.object(p.indent) {
				return false
			}
		} else if !p.value(false) || !p.rest() || !p.next() {
			return false
		}
		if p.ended || p.indent < column || p.indent == column && !p.dash() {
			break
		}
		if p.indent > column {
			return false
		}
	}
	p.to.End()
	return true
}

// keyAhead says whether the line goes on with a key.
func (p *plainReader) keyAhead() bool {
	at := p.at
	_, ok := p.key()
	p.at = at
	return ok
}

// key reads a key and its colon.
func (p *plainReader) key() (string, bool) {
	start := p.at
	if p.at < len(p.text) && (p.text[p.at] == '"' || p.text[p.at] == '\'') {
		key, ok := p.quoted()
		return key, ok && len(key) <= longestKey && p.colon()
	}
	for p.at < len(p.text) && class[p.text[p.at]]&inKey != 0 {
		p.at++
	}
	key := p.text[start:p.at]
	return key, len(key) <= longestKey && kindOf(key) == aString && p.colon()
}

// colon reads the colon after a key.
func (p *plainReader) colon() bool {
	if p.at == len(p.text) || p.text[p.at] != ':' {
		return false
	}
	p.at++
	return p.at == len(p.text) || p.text[p.at] == ' ' || p.text[p.at] == '\n'
}

// new adds a key to those of the object whose keys begin at first.
func (p *plainReader) new(key string, first int) bool {
	for _, seen := range p.keys[first:] {
		if seen == key {
			return false
		}
	}
	p.keys = append(p.keys, key)
	return len(p.keys)-first <= mostKeys
}
