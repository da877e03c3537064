// Package stencil renders texts that differ only in parameters: a text is rendered once
// with placeholders, cut at the placeholders, and filled for each set of parameters.
package stencil

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
	"strconv"
	"strings"
)

// Placeholders is a set of words that stand for parameters in a text. Each set has its own
// random prefix, so that users cannot write a placeholder. Placeholders are lower-case DNS
// labels, and plain scalars in YAML.
type Placeholders struct {
	prefix  string
	pattern *regexp.Regexp
	// plain matches a placeholder that is a plain scalar in YAML. marked matches, in JSON,
	// a placeholder that CutJSON marked because it was one.
	plain, marked *regexp.Regexp
}

// NewPlaceholders returns Placeholders with a new random prefix.
func NewPlaceholders() Placeholders {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	prefix := "p" + hex.EncodeToString(random) + "x"
	return Placeholders{
		prefix:  prefix,
		pattern: regexp.MustCompile(prefix + "([0-9]+)z"),
		plain:   regexp.MustCompile(`(?m): (` + prefix + `[0-9]+z)$`),
		marked:  regexp.MustCompile(`\\?"` + mark + `(` + prefix + `[0-9]+z)\\?"`),
	}
}

// At returns the placeholder of the parameter at an index.
func (p Placeholders) At(index int) string { return p.prefix + strconv.Itoa(index) + "z" }

// Find returns the index of the first placeholder in a text with an index of at least
// lowest. It reports false if there is none.
func (p Placeholders) Find(text string, lowest int) (int, bool) {
	for _, found := range p.pattern.FindAllStringSubmatch(text, -1) {
		if index, _ := strconv.Atoi(found[1]); index >= lowest {
			return index, true
		}
	}
	return 0, false
}

// Stencil is a text that is cut at its placeholders. It is safe for concurrent use.
type Stencil struct {
	pieces     []string // one more than parameters
	parameters []int    // indexes of parameters, in the order of the text
}

// Cut returns the stencil of a text.
func (p Placeholders) Cut(text string) *Stencil {
	s := new(Stencil)
	end := 0
	for _, found := range p.pattern.FindAllStringSubmatchIndex(text, -1) {
		index, _ := strconv.Atoi(text[found[2]:found[3]])
		s.pieces = append(s.pieces, text[end:found[0]])
		s.parameters = append(s.parameters, index)
		end = found[1]
	}
	s.pieces = append(s.pieces, text[end:])
	return s
}

// CutJSON converts a YAML text to JSON, and returns the stencil of the JSON. A placeholder
// without quotes in the YAML is a number. So it has no quotes in the JSON, and none in YAML
// that is the text of a JSON string.
func (p Placeholders) CutJSON(text string, toJSON func(yaml string) (string, error)) (*Stencil, error) {
	json, err := toJSON(p.plain.ReplaceAllString(text, `: "`+mark+`$1"`))
	if err != nil {
		return nil, err
	}
	return p.Cut(p.marked.ReplaceAllString(json, "$1")), nil
}

// mark comes before the placeholder of a number while YAML is converted to JSON.
const mark = "number-"

// Append appends the text to a buffer, with parameters in place of the placeholders.
func (s *Stencil) Append(to []byte, parameters []string) []byte {
	for i, index := range s.parameters {
		to = append(to, s.pieces[i]...)
		to = append(to, parameters[index]...)
	}
	return append(to, s.pieces[len(s.pieces)-1]...)
}

// Hash writes to a hash what the stencil consists of. It does not depend on the prefix of the
// placeholders.
func (s *Stencil) Hash(to hash.Hash) {
	for i, piece := range s.pieces {
		_, _ = fmt.Fprintf(to, "%d %s", len(piece), piece) // never fails
		if i < len(s.parameters) {
			_, _ = fmt.Fprintf(to, " %d ", s.parameters[i])
		}
	}
}

// Restore returns the text that Cut was called with.
func (p Placeholders) Restore(s *Stencil) string {
	var text strings.Builder
	for i, index := range s.parameters {
		text.WriteString(s.pieces[i])
		text.WriteString(p.At(index))
	}
	text.WriteString(s.pieces[len(s.pieces)-1])
	return text.String()
}
