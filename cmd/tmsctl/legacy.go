package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triton-leases/tms/internal/cli"
)

// This file has the commands and flags of NVIDIA Triton Management Service that tmsctl does
// not support. They are hidden, and their errors contain what to do instead.

func addLegacyFlags(flags *pflag.FlagSet) {
	flags.StringP("triton-pool", "p", "", "")
	flags.String("quota", "", "")
	for _, name := range []string{"triton-pool", "quota"} {
		flags.Lookup(name).Hidden = true
		flags.Lookup(name).NoOptDefVal = "-" // accept the flag with and without a value
	}
}

// checkLegacyFlags returns an error if a legacy flag is set.
func checkLegacyFlags(flags *pflag.FlagSet) error {
	switch {
	case flags.Changed("triton-pool"):
		return cli.Usagef("--triton-pool: pools do not exist, each lease has its own Triton: remove the flag")
	case flags.Changed("quota"):
		return cli.Usagef("--quota: remove the flag, and create a Kubernetes ResourceQuota in the namespace")
	}
	return nil
}

func newPool() *cobra.Command {
	return legacyCommand("pool", "pools do not exist, each lease has its own Triton")
}

func legacyCommand(name, message string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error { return cli.Usagef("%s: %s", name, message) },
	}
}
