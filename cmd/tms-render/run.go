package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Exit statuses that scripts can rely on.
const (
	exitDone     = 0
	exitFailed   = 1 // refused, or something failed
	exitUsage    = 2 // the command line is wrong
	exitAdjusted = 3 // something was adjusted, or warned of, under --strict
)

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// usageError is a wrong command line.
type usageError struct{ error }

// errStrict ends a command whose warnings were printed already.
var errStrict = errors.New("adjusted under --strict")

// run runs the command line and returns its exit status.
func run(args []string, s streams) int {
	command := newRoot(s)
	command.SetArgs(args)
	command.SetIn(s.in)
	command.SetOut(s.out)
	command.SetErr(s.err)
	err := command.Execute()
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errStrict):
		return exitAdjusted
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(s.err, "tms-render: %v\nRun 'tms-render --help' for usage.\n", err)
		return exitUsage
	default:
		_, _ = fmt.Fprintln(s.err, err)
		return exitFailed
	}
}

// onTerminal says whether a person watches what is written to w.
func onTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// colour returns text in a colour where a person watches and wants one.
func colour(w io.Writer, code, text string) string {
	if !onTerminal(w) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const yellow = "33"

// warn prints sentences for a person.
func warn(w io.Writer, sentences []string) {
	mark := colour(w, yellow, "WARNING:")
	buffer := bufio.NewWriter(w)
	for _, sentence := range sentences {
		_, _ = buffer.WriteString(mark + " " + sentence + "\n")
	}
	_ = buffer.Flush()
}
