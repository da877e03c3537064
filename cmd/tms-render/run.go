package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/triton-leases/tms/internal/cli"
)

// Exit statuses that scripts can rely on.
const (
	exitDone     = 0
	exitFailed   = 1 // values or leases are refused, or an operation fails
	exitUsage    = 2 // the command line is wrong
	exitAdjusted = 3 // there are adjustments or warnings under --strict
)

// streams are the standard streams of a command.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// errStrict ends a command under --strict. Its warnings are already printed.
var errStrict = errors.New("adjusted under --strict")

// errNoInput ends tms-render without flags. Its help is already printed.
var errNoInput = errors.New("no input")

// run runs the command line and returns its exit status.
func run(args []string, s streams) int {
	command := newRoot(s)
	command.SetArgs(args)
	command.SetIn(s.in)
	command.SetOut(s.out)
	command.SetErr(s.err)
	err := command.Execute()
	var usage cli.UsageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errStrict):
		return exitAdjusted
	case errors.Is(err, errNoInput):
		return exitUsage
	case errors.Is(err, errProblems):
		return exitFailed
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(s.err, "tms-render: %v\nRun 'tms-render --help' for usage.\n", err)
		return exitUsage
	default:
		_, _ = fmt.Fprintln(s.err, err)
		return exitFailed
	}
}
