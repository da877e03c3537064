package valuesfile

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	yamlv4 "go.yaml.in/yaml/v4"
)

// inPlainWords returns an error of the YAML parser with a message that says what to do, and
// with the position of the fault, which can be in a line before the one where the parser
// stopped. An error that it does not know keeps its message.
func inPlainWords(one *yamlv4.LoadError, text []byte) SyntaxError {
	if wrong := checkEncoding(text); wrong != nil {
		return *wrong
	}
	at := SyntaxError{Line: one.Mark.Line, Column: one.Mark.Column, Message: one.Message}
	lines := strings.Split(lineEnds.Replace(string(text)), "\n")
	line := lineOf(lines, at.Line)
	if column := strings.IndexByte(indentOf(line), '\t'); column >= 0 {
		return SyntaxError{Line: at.Line, Column: column + 1, Message: "a tab is used for indentation: use spaces"}
	}
	switch message := one.Message; {
	case conflict.MatchString(line):
		at.Column, at.Message = 1, "a conflict marker of git: resolve the conflict and remove the marker"
	case strings.HasPrefix(message, "mapping values are not allowed"), strings.HasPrefix(message, "could not find expected ':'"):
		return nearColon(lines, at)
	case message == "did not find expected key" && jammedColon.MatchString(line):
		return missingSpace(line, at.Line)
	case message == "did not find expected key" && indentOf(line) == indentOf(lineAbove(lines, at.Line)):
		return nearColon(lines, at)
	case message == "did not find expected key":
		at.Message = "the indentation matches no key above: indent the key as the keys beside it"
	case strings.HasPrefix(message, "did not find expected ',' or"):
		at.Message = fmt.Sprintf("the bracket in line %d, column %d is not closed, or a comma is missing between its items", one.ContextMark.Line, one.ContextMark.Column)
	case message == "did not find expected node content":
		at.Message = "a value is missing, or a bracket is not closed"
	case strings.HasPrefix(message, "found unexpected end of stream"):
		at.Line, at.Column, at.Message = one.ContextMark.Line, one.ContextMark.Column, "the quote is not closed: close it, and write two single quotes for one in a text"
	case strings.HasPrefix(message, "found character that cannot start"):
		at.Message = fmt.Sprintf("a value must not begin with %s: quote it", character(line, at.Column))
	case strings.HasPrefix(message, "unknown anchor"):
		at.Message += ": quote the value if it begins with *"
	case strings.HasPrefix(message, "found unknown escape"):
		at.Message = `unknown escape in double quotes: write \\ for a backslash, or use single quotes`
	}
	return at
}

var (
	conflict = regexp.MustCompile(`^(<{7}|={7}|>{7})( |$)`)
	// key matches a key with its colon, and jammedColon one without a space after the colon.
	key         = regexp.MustCompile(`^[ -]*[^\s:#]+:( |$)`)
	jammedColon = regexp.MustCompile(`^([ -]*[A-Za-z0-9_.-]+):[^\s:/]`)
	jammedDash  = regexp.MustCompile(`^( *)-[A-Za-z0-9_]+:( |$)`)
	secondColon = regexp.MustCompile(`^[ -]*[^\s:#]+: .*: `)
)

// lineEnds replaces the ends of lines that YAML knows besides \n.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// nearColon explains the error of a colon in a place where none may be: most often, the line
// above is wrong.
func nearColon(lines []string, at SyntaxError) SyntaxError {
	line := lineOf(lines, at.Line)
	if secondColon.MatchString(line) {
		at.Message = "a value contains a colon and a space: quote the value"
		return at
	}
	above := above(lines, at.Line)
	previous := lineOf(lines, above)
	begin := SyntaxError{Line: above, Column: len(indentOf(previous)) + 1}
	switch {
	case above == 0:
		at.Message = "a key needs a colon and a space after it"
		return at
	case conflict.MatchString(previous):
		begin.Message = "a conflict marker of git: resolve the conflict and remove the marker"
	case jammedColon.MatchString(previous):
		return missingSpace(previous, above)
	case jammedDash.MatchString(previous):
		begin.Message = "a space is missing after the dash: write \"- \" before an item of a list"
	case key.MatchString(previous):
		at.Column = len(indentOf(line)) + 1
		at.Message = fmt.Sprintf("indented more than line %d, which already has a value: indent it as that line", above)
		return at
	default:
		begin.Message = "a colon is missing: write <key>: <value>"
	}
	return begin
}

// missingSpace returns the error of a line that jammedColon matches.
func missingSpace(line string, number int) SyntaxError {
	end := jammedColon.FindStringSubmatchIndex(line)[3]
	return SyntaxError{Line: number, Column: end + 2, Message: "a space is missing after the colon: write <key>: <value>"}
}

// checkEncoding returns the error of a text that is not UTF-8, or nil. The parser also reads
// UTF-16 that begins with a byte order mark.
func checkEncoding(text []byte) *SyntaxError {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil
	}
	if len(text) > 1 && (text[0] == 0) != (text[1] == 0) {
		return &SyntaxError{Line: 1, Column: 1, Message: "the file is UTF-16: save it as UTF-8"}
	}
	line, column := 1, 1
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &SyntaxError{Line: line, Column: column, Message: fmt.Sprintf("the byte 0x%02x is not UTF-8: save the file as UTF-8, or give a text file if it is a binary file", text[i])}
		case r == '\n':
			line, column = line+1, 0
		case unicode.IsControl(r) && r != '\t' && r != '\r' && r != '\u0085':
			return &SyntaxError{Line: line, Column: column, Message: fmt.Sprintf("the control character 0x%02x is not allowed: remove it, or give a text file if this is a binary file", r)}
		}
		i, column = i+size, column+1
	}
	return nil
}

// above returns the number of the last line before one that is not blank, or 0.
func above(lines []string, number int) int {
	number = min(number-1, len(lines))
	for number > 0 && isBlank(lines[number-1]) {
		number--
	}
	return number
}

func lineAbove(lines []string, number int) string { return lineOf(lines, above(lines, number)) }

func isBlank(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || strings.HasPrefix(line, "#")
}

// indentOf returns the spaces and tabs at the beginning of a line.
func indentOf(line string) string {
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// lineOf returns a line by its number, which counts from 1, or "" if there is none.
func lineOf(lines []string, number int) string {
	if number < 1 || number > len(lines) {
		return ""
	}
	return lines[number-1]
}

// character returns the character in a column, which counts from 1.
func character(line string, column int) string {
	for i, r := range []rune(line) {
		if i == column-1 {
			return string(r)
		}
	}
	return "this character"
}
