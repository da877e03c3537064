// Package problem is how the services of the API say what is wrong.
package problem

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Violations are what is wrong with the fields of a request, in the order in which
// it was found. The zero value is none.
type Violations []violation

type violation struct{ path, sentence string }

// Add adds one, where it is not there already: several keys of a lease may come of one
// field. The path is that of the field in the request.
func (v *Violations) Add(path, format string, args ...any) {
	const enough = 1000 // a request may have a hundred thousand, and each is compared with all
	if one := (violation{path, fmt.Sprintf(format, args...)}); len(*v) < enough && !slices.Contains(*v, one) {
		*v = append(*v, one)
	}
}

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Label adds one where a text is not what namespaces and leases are called.
func (v *Violations) Label(path, text string) {
	if !label.MatchString(text) {
		v.Add(path, "%s must be a DNS label: at most 63 lower-case letters, digits and '-'", strconv.QuoteToASCII(text))
	}
}

// Err returns them as an error of the code INVALID_ARGUMENT, nil where there are none.
func (v Violations) Err() error { return v.As(connect.CodeInvalidArgument) }

const (
	// longest is how many bytes of each violation an error has, and most how many of all
	// together: gRPC sends an error in headers, three times over, of which many clients
	// and proxies take 8 KiB.
	longest = 240
	most    = 1600
)

// As returns them as an error, with each as a detail for programs (google.rpc.BadRequest).
// What is said of texts of any length, however many, is cut.
func (v Violations) As(code connect.Code) error {
	if len(v) == 0 {
		return nil
	}
	v = v.within(most)
	sentences := make([]string, len(v))
	details := new(errdetails.BadRequest)
	for i, one := range v {
		sentences[i] = one.path + ": " + one.sentence
		details.FieldViolations = append(details.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: one.path, Description: one.sentence})
	}
	err := connect.NewError(code, errors.New(strings.Join(sentences, "\n")))
	if detail, detailErr := connect.NewErrorDetail(details); detailErr == nil {
		err.AddDetail(detail)
	}
	return err
}

// within returns so many of them as have a place in so many bytes.
func (v Violations) within(bytes int) Violations {
	var short Violations
	for i, one := range v {
		one.sentence = cut(one.sentence)
		if bytes -= len(one.path) + len(one.sentence); bytes < 0 && i > 0 {
			return append(short, violation{v[i].path, fmt.Sprintf("and so on: %d more are wrong", len(v)-i)})
		}
		short = append(short, one)
	}
	return short
}

// cut leaves out the middle of a text that is too long: the end says what is wrong.
func cut(text string) string {
	const left, right = longest / 3, longest - longest/3 - len(gap)
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:left], "") + gap + strings.ToValidUTF8(text[len(text)-right:], "")
}

const gap = " ... "
