package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// escape returns a text from the server as one line that is safe to print: characters
// that are not printable are escaped as Go does, so that a text cannot move the cursor,
// change colours, or reorder what is on the screen.
func escape(text string) string {
	var escaped strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&escaped, `\x%02x`, text[0])
		case strconv.IsPrint(r):
			escaped.WriteRune(r)
		default:
			literal := strconv.QuoteRuneToASCII(r)
			escaped.WriteString(literal[1 : len(literal)-1])
		}
		text = text[size:]
	}
	return escaped.String()
}

// escapeJSON returns JSON with the same meaning that is safe to print. Characters that
// need an escape are always inside strings, because all other JSON is ASCII.
func escapeJSON(json []byte) []byte {
	var escaped strings.Builder
	for _, r := range string(json) {
		switch {
		case r == '\n' || strconv.IsPrint(r):
			escaped.WriteRune(r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&escaped, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&escaped, `\u%04x`, r)
		}
	}
	return []byte(escaped.String())
}
