package cli_test

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/cli"
)

// TestFlagError checks that the errors of flags say what is allowed, and name no function
// of Go.
func TestFlagError(t *testing.T) {
	t.Parallel()
	for argument, want := range map[string]string{
		"--number=x":                    "--number x: must be a whole number",
		"--number=1.5":                  "--number 1.5: must be a whole number",
		"--number=99999999999999999999": "--number 99999999999999999999: the number is too large or too small",
		"--rate=x":                      "--rate x: must be a number",
		"--time=8":                      "--time 8: must be a duration, such as 30s or 1h30m",
		"--time=x":                      "--time x: must be a duration, such as 30s or 1h30m",
		"--all=x":                       "--all x: must be true or false",
		"--numbre=1":                    "unknown flag: --numbre, did you mean --number?",
	} {
		command := &cobra.Command{Use: "x"}
		command.Flags().Int64("number", 0, "")
		command.Flags().Float64("rate", 0, "")
		command.Flags().Duration("time", 0, "")
		command.Flags().Bool("all", false, "")
		err := cli.FlagError(command, command.ParseFlags([]string{argument}))
		require.EqualError(t, err, want)
		require.ErrorAs(t, err, new(cli.UsageError))
	}
}
