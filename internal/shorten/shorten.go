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

// Middle returns a text without its middle, so that it has at most maximum bytes, which must be
// 3 or more. An error message has the value first and the reason last.
func Middle(text string, maximum int) string {
	if len(text) <= maximum {
		return text
	}
	half := (maximum - len(ellipsis)) / 2
	return strings.ToValidUTF8(text[:half], "") + ellipsis + strings.ToValidUTF8(text[len(text)-half:], "")
}
