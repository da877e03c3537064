package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printable returns a text, which may come from anybody, as a terminal may show it in
// one line: what is not a letter, mark, number, symbol or the space is quoted as Go
// does, so that nothing moves the cursor, changes colours or reorders what stands there.
func printable(text string) string {
	var quoted strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&quoted, `\x%02x`, text[0])
		case strconv.IsPrint(r):
			quoted.WriteRune(r)
		default:
			literal := strconv.QuoteRuneToASCII(r)
			quoted.WriteString(literal[1 : len(literal)-1])
		}
		text = text[size:]
	}
	return quoted.String()
}

// printableJSON returns the same JSON with the same meaning that a terminal may show.
// What it must quote stands within strings only: all else in JSON is ASCII.
func printableJSON(json []byte) []byte {
	var quoted strings.Builder
	for _, r := range string(json) {
		switch {
		case r == '\n' || strconv.IsPrint(r):
			quoted.WriteRune(r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&quoted, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&quoted, `\u%04x`, r)
		}
	}
	return []byte(quoted.String())
}
