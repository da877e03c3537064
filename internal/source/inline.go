package source

import "strings"

// value reads a value that ends in its line.
func (p *plainReader) value(inFlow bool) bool {
	switch p.text[p.at] {
	case '{':
		return p.flowObject()
	case '[':
		return p.flowList()
	case '"', '\'':
		text, ok := p.quoted()
		p.to.String(text)
		return ok
	default:
		return p.scalar(inFlow)
	}
}

func (p *plainReader) flowObject() bool {
	p.to.Object()
	first := len(p.keys)
	ok := p.flow('}', func() bool {
		key, ok := p.key()
		if !ok || !p.new(key, first) {
			return false
		}
		p.to.Key(key)
		p.spaces()
		return p.at < len(p.text) && p.value(true)
	})
	p.keys = p.keys[:first]
	p.to.End()
	return ok
}

func (p *plainReader) flowList() bool {
	p.to.List()
	ok := p.flow(']', func() bool { return p.value(true) })
	p.to.End()
	return ok
}

// flow reads entries between commas up to the closing bracket.
func (p *plainReader) flow(end byte, entry func() bool) bool {
	if !p.descend() {
		return false
	}
	defer p.ascend()
	p.at++ // the opening bracket
	p.spaces()
	if p.at < len(p.text) && p.text[p.at] == end {
		p.at++
		return true
	}
	for p.at < len(p.text) {
		if !entry() {
			return false
		}
		p.spaces()
		if p.at == len(p.text) {
			return false
		}
		switch p.text[p.at] {
		case end:
			p.at++
			return true
		case ',':
			p.at++
			p.spaces()
		default:
			return false
		}
	}
	return false
}

// quoted reads a text in quotes, without escapes.
func (p *plainReader) quoted() (string, bool) {
	quote := p.text[p.at]
	start := p.at + 1
	for p.at = start; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			text := p.text[start:p.at]
			p.at++
			doubled := p.at < len(p.text) && p.text[p.at] == quote
			return text, !doubled
		case c == '\\' || c < ' ' || c > '~':
			return "", false
		}
	}
	return "", false
}

// scalar reads a value without quotes.
func (p *plainReader) scalar(inFlow bool) bool {
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if class[c]&inScalar == 0 && (inFlow || class[c]&inBlockScalar == 0) {
			break
		}
		if c == ':' && (p.at+1 == len(p.text) || class[p.text[p.at+1]]&inWord == 0) {
			return false
		}
		p.at++
	}
	text := strings.TrimRight(p.text[start:p.at], " ")
	p.at = start + len(text)
	switch kindOf(text) {
	case aString:
		p.to.String(text)
	case aNumber:
		p.to.Number(text)
	case aBool:
		p.to.Bool(text == "true")
	default:
		return false
	}
	return true
}
