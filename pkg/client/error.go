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

// Error is the error of a call. Its texts come from the server, or from another program at
// its address: escape them before you print them on a terminal.
type Error struct {
	// Method is the called method, such as tms.v1.LeaseService/Acquire.
	Method string
	// Code is the gRPC code. The comments of the API list the codes of each method.
	Code connect.Code
	// Message is the message of the server.
	Message string
	// Violations are what is wrong with fields of the request.
	Violations []Violation
	// Reached reports whether a server responded.
	Reached bool
	// Unreleased releases the lease that Acquire could not release when its context
	// ended. It is nil if no lease is left.
	Unreleased *tmsv1.ReleaseRequest

	cause error
}

// Violation is what is wrong with one field of a request.
type Violation struct {
	// Field is the path of the field, such as spec.models[0].uri.
	Field string
	// Message says what is wrong.
	Message string
}

// Error implements error, with one line for each violation.
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

// Unwrap returns the *connect.Error with the details of the server, which wraps the error
// of the network or of the context.
func (e *Error) Unwrap() error { return e.cause }

// Unreachable reports whether no server responded, or the server shuts down. The same call
// may succeed later.
func (e *Error) Unreachable() bool {
	return e.Code == connect.CodeUnavailable || e.Code == connect.CodeDeadlineExceeded && !e.Reached
}

// wrap returns an *Error for the error of a call, and nil for nil.
func wrap(procedure string, err error) error {
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
			continue // an unknown type of detail
		}
		if bad, ok := message.(*errdetails.BadRequest); ok {
			for _, violation := range bad.GetFieldViolations() {
				e.Violations = append(e.Violations, Violation{Field: violation.GetField(), Message: violation.GetDescription()})
			}
		}
	}
	return e
}

// codeOf is connect.CodeOf with codes for the errors of contexts.
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
