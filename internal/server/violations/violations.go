// Package violations collects what is wrong with the fields of a request, and returns
// it as a gRPC error with google.rpc.BadRequest details.
package violations

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"k8s.io/apimachinery/pkg/util/validation"
)

// List is a list of field violations, in the order in which they were added. The zero
// List is empty.
type List []violation

type violation struct{ field, message string }

// Add adds a violation of the field with this path in the request. It ignores a
// violation that the list already has, because several keys of a lease can come from
// one field.
func (l *List) Add(field, message string) {
	const enough = 1000 // each violation is compared with all, and a request can cause 100,000
	if v := (violation{field, message}); len(*l) < enough && !slices.Contains(*l, v) {
		*l = append(*l, v)
	}
}

// CheckLabel adds a violation if value is not a DNS label, as the names of namespaces
// and leases are.
func (l *List) CheckLabel(field, value string) {
	if len(validation.IsDNS1123Label(value)) > 0 {
		l.Add(field, strconv.QuoteToASCII(value)+" must be a DNS label: at most 63 lower-case letters, digits and '-'")
	}
}

// InvalidArgument returns the list as an error with the code INVALID_ARGUMENT, and nil
// if the list is empty.
func (l List) InvalidArgument() error { return l.WithCode(connect.CodeInvalidArgument) }

// WithCode returns the list as an error with a code, and nil if the list is empty. The
// message has one line for each violation, and the details hold them as data
// (google.rpc.BadRequest). Long messages and long lists are truncated.
func (l List) WithCode(code connect.Code) error {
	if len(l) == 0 {
		return nil
	}
	l = l.truncate(maxTotal)
	lines := make([]string, len(l))
	details := new(errdetails.BadRequest)
	for i, v := range l {
		lines[i] = v.field + ": " + v.message
		details.FieldViolations = append(details.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: v.field, Description: v.message})
	}
	err := connect.NewError(code, errors.New(strings.Join(lines, "\n")))
	if detail, detailErr := connect.NewErrorDetail(details); detailErr == nil {
		err.AddDetail(detail)
	}
	return err
}
