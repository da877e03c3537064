// Package cut turns a text, or an object, that was made with marks in the place
// of values into a form that is filled with other values: what stands between
// the marks is kept, and what stands at a mark is put in anew for each filling.
package cut

import (
	"strings"
)

// Text is a text that was cut at its marks. The zero Text is empty.
type Text struct {
	pieces []piece
	fixed  string // what follows the last mark
}

// piece is what stands before a mark, and which filling takes the mark's place.
type piece struct {
	before  string
	filling int
}

// Marks are the marks of one form: the mark at index n stands for filling n. No
// mark is part of another, and an empty one never occurs.
type Marks []string

// Text cuts a text.
func (m Marks) Text(text string) Text {
	var cut Text
	for {
		at, filling := len(text), -1
		for n, mark := range m {
			if mark == "" {
				continue
			}
			if i := strings.Index(text[:min(at+len(mark), len(text))], mark); i >= 0 && i < at {
				at, filling = i, n
			}
		}
		if filling < 0 {
			cut.fixed = text
			return cut
		}
		cut.pieces = append(cut.pieces, piece{before: text[:at], filling: filling})
		text = text[at+len(m[filling]):]
	}
}

// Marked says whether the text has any mark.
func (t Text) Marked() bool { return len(t.pieces) > 0 }

// Append appends the text with the fillings put in.
func (t Text) Append(to []byte, fillings []string) []byte {
	for _, p := range t.pieces {
		to = append(to, p.before...)
		to = append(to, fillings[p.filling]...)
	}
	return append(to, t.fixed...)
}

// Fill returns the text with the fillings put in.
func (t Text) Fill(fillings []string) string {
	if !t.Marked() {
		return t.fixed
	}
	return string(t.Append(nil, fillings))
}

// Intern returns the text with its pieces taken from the pool, so that forms
// that differ little share the memory of what they have in common.
func (t Text) Intern(pool map[string]string) Text {
	share := func(text string) string {
		if pooled, ok := pool[text]; ok {
			return pooled
		}
		text = strings.Clone(text) // lets go of the whole document
		pool[text] = text
		return text
	}
	shared := Text{fixed: share(t.fixed)}
	for _, p := range t.pieces {
		shared.pieces = append(shared.pieces, piece{before: share(p.before), filling: p.filling})
	}
	return shared
}
