package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/triton-leases/tms/internal/cli"
)

// streams are what a command writes.
type streams struct {
	out io.Writer
	err io.Writer
}

// run runs the command line and returns its exit status.
func run(ctx context.Context, args []string, s streams) int {
	o := new(options)
	root := newRoot(o, s)
	root.SetArgs(args)
	root.SetOut(s.out)
	root.SetErr(s.err)
	command, err := root.ExecuteContextC(ctx)
	var usage cli.UsageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(s.err, "tmsctl: %s\nRun '%s --help' for usage.\n", printable(err.Error()), command.CommandPath())
		return exitUsage
	default:
		for _, line := range fatalLines(err) {
			_, _ = fmt.Fprintln(s.err, "fatal: "+line)
		}
		if hint := o.hint(err); hint != "" {
			_, _ = fmt.Fprintln(s.err, "hint: "+hint)
		}
		return statusOf(err)
	}
}
