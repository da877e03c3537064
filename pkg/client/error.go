package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
)

// Error is why a call failed. Its texts are those of the server, or of whatever
// answered in its place: quote them before a terminal shows them.
type Error struct {
	// Method is what was called, such as tms.v1.LeaseService/Acquire.
	Method string
	// Code says of which kind the failure is. The comments of the API say which
	// codes a call ends with.
	Code connect.Code
	// Message is a sentence for people.
	Message string
	// Violations are what is wrong with single fields of the request.
	Violations []Violation
	// Reached says whether a server answered at all.
	Reached bool
	// Left is what would release the lease that was made and could not be released
	// when the context of Acquire ended. It is nil where nothing is left behind.
	Left *tmsv1.ReleaseRequest

	cause error
}

// Violation is what is wrong with one field of a request.
type Violation struct {
	// Field is its path, such as spec.models[0].uri.
	Field string
	// Message is a sentence for people.
	Message string
}

// Error has all of the failure in one line for each violation.
func (e *Error) Error() string {
	if len(e.Violations) == 0 {
		return fmt.Sprintf("%s: %s: %s", e.Method, e.Code, e.Message)
	}
	lines := make([]string, len(e.Violations))
	for i, violation := range e.Violations {
		lines[i] = fmt.Sprintf("%s: %s: %s: %s", e.Method, e.Code, violation.Field, violation.Message)
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns what lies beneath: a *connect.Error with the details of the server,
// and in it the error of the network or of the context.
func (e *Error) Unwrap() error { return e.cause }

// Unreachable says whether the call failed because no server was there to answer, or
// the one that was there is ending: the same call may succeed later.
func (e *Error) Unreachable() bool {
	return e.Code == connect.CodeUnavailable || e.Code == connect.CodeDeadlineExceeded && !e.Reached
}

// failure makes an *Error of what a call ended with, and nil of nil.
func failure(procedure string, err error) error {
	if err == nil {
		return nil
	}
	return newError(procedure, err)
}

func newError(procedure string, err error) *Error {
	e := &Error{
		Method: strings.TrimPrefix(procedure, "/"), Code: codeOf(err),
		Message: err.Error(), Reached: connect.IsWireError(err), cause: err,
	}
	var coded *connect.Error
	if !errors.As(err, &coded) {
		return e
	}
	e.Message = coded.Message()
	for _, detail := range coded.Details() {
		message, detailErr := detail.Value()
		if detailErr != nil {
			continue // of a kind that is not known here
		}
		if bad, ok := message.(*errdetails.BadRequest); ok {
			for _, violation := range bad.GetFieldViolations() {
				e.Violations = append(e.Violations, Violation{Field: violation.GetField(), Message: violation.GetDescription()})
			}
		}
	}
	return e
}

// codeOf is connect.CodeOf that knows the errors of contexts.
func codeOf(err error) connect.Code {
	code := connect.CodeOf(err)
	switch {
	case code != connect.CodeUnknown:
		return code
	case errors.Is(err, context.DeadlineExceeded):
		return connect.CodeDeadlineExceeded
	case errors.Is(err, context.Canceled):
		return connect.CodeCanceled
	}
	return code
}
