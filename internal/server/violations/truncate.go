package violations

import (
	"fmt"

	"github.com/triton-leases/tms/internal/shorten"
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
		v.message = shorten.Middle(v.message, maxMessage)
		bytes -= len(v.field) + len(v.message)
		if bytes < 0 && i > 0 {
			return append(short, violation{l[i].field, fmt.Sprintf("and %d more violations", len(l)-i)})
		}
		short = append(short, v)
	}
	return short
}
