package main

import (
	"crypto/x509"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"github.com/triton-leases/tms/pkg/client"
)

// Exit statuses that scripts can rely on.
const (
	exitDone         = 0
	exitFailed       = 1 // something failed that is none of the others
	exitUsage        = 2 // the command line is wrong
	exitRefused      = 3 // the server refuses what was asked for
	exitNotFound     = 4 // there is no such lease
	exitUnreachable  = 5 // there is no server to ask, or none to be trusted
	exitUnauthorised = 6 // the server does not know the caller, or does not let it
)

// statusOf returns the exit status of a failure.
func statusOf(err error) int {
	var failure *client.Error
	if !errors.As(err, &failure) {
		return exitFailed
	}
	switch failure.Code {
	case connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeAlreadyExists, connect.CodeResourceExhausted:
		return exitRefused
	case connect.CodeNotFound:
		return exitNotFound
	case connect.CodeUnauthenticated, connect.CodePermissionDenied:
		return exitUnauthorised
	}
	if failure.Unreachable() {
		return exitUnreachable
	}
	return exitFailed
}

// fatalLines says a failure as TMS did: <message> (<field path> @ <method>), a line for
// each field that something is wrong with.
func fatalLines(err error) []string {
	var failure *client.Error
	if !errors.As(err, &failure) {
		return []string{printable(err.Error())}
	}
	if len(failure.Violations) == 0 {
		return []string{fmt.Sprintf("%s (@ %s)", printable(failure.Message), printable(failure.Method))}
	}
	lines := make([]string, len(failure.Violations))
	for i, violation := range failure.Violations {
		message := violation.Message
		if message == "" {
			message = failure.Message
		}
		lines[i] = fmt.Sprintf("%s (%s @ %s)", printable(message), printable(violation.Field), printable(failure.Method))
	}
	return lines
}

// hint says what helps against a failure that people meet when they begin.
func (o *options) hint(err error) string {
	var failure *client.Error
	if !errors.As(err, &failure) {
		return ""
	}
	var authority x509.UnknownAuthorityError
	switch {
	case failure.Code == connect.CodeUnauthenticated && !o.hasToken:
		return "no token was given: kubectl create token <serviceaccount> > token, and --token-file token"
	case errors.As(err, &authority):
		return "--ca-file names the authority that vouches for the server"
	}
	return ""
}
