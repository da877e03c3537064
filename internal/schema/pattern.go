package schema

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// pattern is a regular expression that decides most texts without running it.
type pattern struct {
	expression *regexp.Regexp
	// contains is what every text has that matches.
	contains string
	// first and then are the classes of an expression such as ^[a-z][a-z0-9]*$:
	// one byte for each of first, and any number for then. They are for texts of
	// ASCII alone, and nil where the expression is of another kind.
	first []*class
	then  *class
}

// class says which bytes of ASCII belong to a class of characters.
type class [utf8.RuneSelf]bool

func newPattern(text string) *pattern {
	p := &pattern{expression: regexp.MustCompile(text)}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil || parsed.Op != syntax.OpConcat {
		return p
	}
	parts := parsed.Sub
	for _, part := range parts {
		if part.Op == syntax.OpLiteral && part.Flags&syntax.FoldCase == 0 && len(part.Rune) > 1 {
			p.contains = string(part.Rune)
		}
	}
	last := len(parts) - 1
	if parts[0].Op != syntax.OpBeginText || parts[last].Op != syntax.OpEndText || parts[last].Flags&syntax.WasDollar == 0 {
		return p
	}
	var first []*class
	for i, part := range parts[1:last] {
		repeated := part.Op == syntax.OpStar && i == last-2
		if repeated {
			part = part.Sub[0]
		}
		if part.Op != syntax.OpCharClass {
			return p
		}
		if repeated {
			p.first, p.then = first, newClass(part)
			return p
		}
		first = append(first, newClass(part))
	}
	return p
}

func newClass(expression *syntax.Regexp) *class {
	c := new(class)
	for i := 0; i < len(expression.Rune); i += 2 {
		for r := expression.Rune[i]; r <= min(expression.Rune[i+1], utf8.RuneSelf-1); r++ {
			c[r] = true
		}
	}
	return c
}

// matches says whether the expression matches a text.
func (p *pattern) matches(text string) bool {
	if p.then == nil || !isASCII(text) {
		return strings.Contains(text, p.contains) && p.expression.MatchString(text)
	}
	if len(text) < len(p.first) {
		return false
	}
	for i, class := range p.first {
		if !class[text[i]] {
			return false
		}
	}
	for i := len(p.first); i < len(text); i++ {
		if !p.then[text[i]] {
			return false
		}
	}
	return true
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
