// Package cli holds what the commands of this project share: usage errors, suggestions
// for misspelled flags and commands, and warnings on a terminal.
package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triton-leases/tms/internal/spelling"
)

// UsageError is an error of the command line, and not of what the command does.
type UsageError struct{ Reason error }

func (e UsageError) Error() string { return e.Reason.Error() }
func (e UsageError) Unwrap() error { return e.Reason }

// Usagef returns a UsageError with a formatted message.
func Usagef(format string, arguments ...any) error {
	return UsageError{fmt.Errorf(format, arguments...)}
}

// FlagError returns a UsageError for an error of the flag parser. If the flag is unknown,
// it suggests the nearest one. If the value is wrong, it says what the flag allows. It is
// for cobra's SetFlagErrorFunc.
func FlagError(command *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return Usagef("--%s %s: %w", invalid.GetFlag().Name, invalid.GetValue(), valueError(invalid))
	}
	return UsageError{suggestFlag(command, err)}
}

// valueError returns what a flag allows, without the names of Go functions.
func valueError(invalid *pflag.InvalidValueError) error {
	if errors.Is(invalid, strconv.ErrRange) {
		return errors.New("the number is too large or too small")
	}
	switch kind := invalid.GetFlag().Value.Type(); kind {
	case "int", "int32", "int64":
		return errors.New("must be a whole number")
	case "float64":
		return errors.New("must be a number")
	case "bool":
		return errors.New("must be true or false")
	case "duration":
		return errors.New("must be a duration, such as 30s or 1h30m")
	}
	return invalid.Unwrap()
}

// suggestFlag adds the nearest flag to an error about an unknown one.
func suggestFlag(command *cobra.Command, err error) error {
	var unknown string
	if n, _ := fmt.Sscanf(err.Error(), "unknown flag: --%s", &unknown); n != 1 {
		return err
	}
	if best := spelling.Nearest(unknown, flagNames(command)); best != "" {
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

// UnknownCommand returns a UsageError that suggests the subcommand nearest to argument,
// and nil if none is near.
func UnknownCommand(command *cobra.Command, argument string) error {
	var names []string
	for _, sub := range command.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	if best := spelling.Nearest(argument, names); best != "" {
		return Usagef("unknown command %q, did you mean %q?", argument, best)
	}
	return nil
}

// NoArguments returns a function that refuses arguments, and suggests the command that was
// probably meant. The hint follows the error, and starts with a colon if it is not empty.
func NoArguments(hint string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		if err := UnknownCommand(command, args[0]); err != nil {
			return err
		}
		return Usagef("unexpected argument %q%s", args[0], hint)
	}
}

// NotEmpty returns a UsageError if one of the named flags was given an empty value, or a
// list with one. An empty name is probably a variable of a script that is not set.
func NotEmpty(flags *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		flag := flags.Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if len(values) == 0 || slices.Contains(values, "") {
			return Usagef("--%s must not be empty", name)
		}
	}
	return nil
}

// OneOf returns a UsageError if the value of a flag is not one of the allowed values.
func OneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return Usagef("--%s %s: must be one of %s", flag, value, strings.Join(allowed, ", "))
}
