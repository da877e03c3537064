package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/triton-leases/tms/internal/cli"
)

// streams are the outputs of a command.
type streams struct {
	out io.Writer
	err io.Writer
}

// run runs a command line and returns its exit status.
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
		return exitOK
	case errors.Is(err, errUnhealthy):
		return exitFailed
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(s.err, "tmsctl: %s\nRun '%s --help' for usage.\n", escape(err.Error()), command.CommandPath())
		return exitUsage
	default:
		for _, line := range errorLines(err) {
			_, _ = fmt.Fprintln(s.err, "fatal: "+line)
		}
		if hint := o.hint(err); hint != "" {
			_, _ = fmt.Fprintln(s.err, "hint: "+hint)
		}
		return exitStatus(err)
	}
}
