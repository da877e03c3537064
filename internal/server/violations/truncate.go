package violations

import (
	"fmt"
	"strings"
)

// gRPC sends an error in headers, three times over, and many clients and proxies accept
// 8 KiB of headers.
const (
	maxMessage = 240  // bytes of one message
	maxTotal   = 1600 // bytes of all fields and messages
)

// truncate returns as many violations as fit into a number of bytes, each shortened.
func (l List) truncate(bytes int) List {
	var short List
	for i, v := range l {
		v.message = shorten(v.message)
		bytes -= len(v.field) + len(v.message)
		if bytes < 0 && i > 0 {
			return append(short, violation{l[i].field, fmt.Sprintf("and %d more violations", len(l)-i)})
		}
		short = append(short, v)
	}
	return short
}

// shorten removes the middle of a long message. The beginning has the value, and the end
// has the reason.
func shorten(message string) string {
	const gap = " ... "
	const left, right = maxMessage / 3, maxMessage - maxMessage/3 - len(gap)
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:left], "") + gap + strings.ToValidUTF8(message[len(message)-right:], "")
}
