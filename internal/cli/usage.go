// Package commandline is what the commands here have in common: how they refuse a
// command line that is wrong, and how they speak to a person.
package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triton-leases/tms/internal/schema"
)

// UsageError is a wrong command line.
type UsageError struct{ Reason error }

func (e UsageError) Error() string { return e.Reason.Error() }
func (e UsageError) Unwrap() error { return e.Reason }

// Usagef makes a UsageError.
func Usagef(format string, arguments ...any) error {
	return UsageError{fmt.Errorf(format, arguments...)}
}

// FlagError makes a UsageError of what is wrong with a flag, with the flag that was
// probably meant where there is none of that name. It is a FlagErrorFunc.
func FlagError(command *cobra.Command, err error) error {
	return UsageError{suggestFlag(command, err)}
}

// suggestFlag adds the flag that was probably meant to an error about an unknown one.
func suggestFlag(command *cobra.Command, err error) error {
	var unknown string
	if n, _ := fmt.Sscanf(err.Error(), "unknown flag: --%s", &unknown); n != 1 {
		return err
	}
	if best := schema.Nearest(unknown, flagNames(command)); best != "" {
		return fmt.Errorf("%w, did you mean --%s?", err, best)
	}
	return err
}

func flagNames(command *cobra.Command) []string {
	var names []string
	command.Flags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names = append(names, flag.Name)
		}
	})
	return names
}

// UnknownCommand returns the refusal of an argument in the place of a command's
// subcommand, and nil where no subcommand is near.
func UnknownCommand(command *cobra.Command, argument string) error {
	var names []string
	for _, sub := range command.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	if best := schema.Nearest(argument, names); best != "" {
		return Usagef("unknown command %q, did you mean %q?", argument, best)
	}
	return nil
}

// OneOf refuses the value of a flag that is none of the allowed ones.
func OneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return Usagef("--%s %s: must be one of %v", flag, value, allowed)
}
