// Package shorten shortens texts of users for places that limit their size, such as the status
// of an object, an event, or the headers of an answer.
package shorten

import "strings"

const ellipsis = "..."

// End returns a text without its end, so that it has at most maximum bytes, which must be 3 or more.
func End(text string, maximum int) string {
	if len(text) <= maximum {
		return text
	}
	return strings.ToValidUTF8(text[:maximum-len(ellipsis)], "") + ellipsis
}

// Middle returns a text without a part after its middle, so that it has at most maximum bytes,
// which must be 3 or more. It keeps twice as much of the start as of the end: an error message
// has its cause before the end, and what to do at the end.
func Middle(text string, maximum int) string {
	if len(text) <= maximum {
		return text
	}
	kept := maximum - len(ellipsis)
	end := kept / 3
	return strings.ToValidUTF8(text[:kept-end], "") + ellipsis + strings.ToValidUTF8(text[len(text)-end:], "")
}
