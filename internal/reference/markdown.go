// Package reference writes the pages of docs/reference from the code that they describe.
// Golden tests of that code write the pages.
package reference

import (
	"fmt"
	"strings"
)

// Page is a Markdown page.
type Page struct{ text strings.Builder }

// New returns a page with a title. The source is the file to edit instead of the page.
func New(title, source string) *Page {
	p := new(Page)
	p.printf("<!-- Generated from %s. Do not edit. -->\n\n# %s\n", source, title)
	return p
}

// String returns the text of the page.
func (p *Page) String() string { return p.text.String() }

func (p *Page) printf(format string, args ...any) { _, _ = fmt.Fprintf(&p.text, format, args...) }

// Heading adds a heading. The title has level 1.
func (p *Page) Heading(level int, text string) {
	p.printf("\n%s %s\n", strings.Repeat("#", level), text)
}

// Text adds a paragraph of Markdown.
func (p *Page) Text(markdown string) { p.printf("\n%s\n", strings.TrimSpace(markdown)) }

// Block adds text that is shown as it is.
func (p *Page) Block(language, text string) {
	p.printf("\n```%s\n%s\n```\n", language, strings.Trim(text, "\n"))
}

// Table adds a table of Markdown cells, if it has a row.
func (p *Page) Table(header []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	p.printf("\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
	for _, row := range rows {
		p.printf("| %s |\n", strings.Join(row, " | "))
	}
}

// Code returns text as inline code for a cell, and "" for no text.
func Code(text string) string {
	if text == "" {
		return ""
	}
	fence := "`"
	if strings.Contains(text, "`") {
		fence = "``"
	}
	return fence + strings.ReplaceAll(text, "|", `\|`) + fence
}

// Codes returns a list of texts as inline code.
func Codes(texts []string) string {
	coded := make([]string, len(texts))
	for i, text := range texts {
		coded[i] = Code(text)
	}
	return strings.Join(coded, ", ")
}

var plain = strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`, "\n", " ")

// Plain returns a text without Markdown for a cell.
func Plain(text string) string { return plain.Replace(strings.TrimSpace(text)) }
