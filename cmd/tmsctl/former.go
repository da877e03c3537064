package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triton-leases/tms/internal/cli"
)

// What TMS had and this has not is refused with what to do instead, and not shown.

func addFormerFlags(flags *pflag.FlagSet) {
	flags.StringP("triton-pool", "p", "", "")
	flags.String("quota", "", "")
	for _, name := range []string{"triton-pool", "quota"} {
		flags.Lookup(name).Hidden = true
		flags.Lookup(name).NoOptDefVal = "-" // whatever it is given
	}
}

// formerFlags refuses flags of TMS.
func formerFlags(flags *pflag.FlagSet) error {
	switch {
	case flags.Changed("triton-pool"):
		return cli.Usagef("--triton-pool: there are no pools: each lease has a Triton of its own; leave it out")
	case flags.Changed("quota"):
		return cli.Usagef("--quota: quotas are those of Kubernetes: leave it out, and have a ResourceQuota in the namespace")
	}
	return nil
}

func newPool() *cobra.Command {
	return former("pool", "there are no pools: each lease has a Triton of its own")
}

func newName() *cobra.Command {
	return former("name", "a lease has one name, which is its id: 'tmsctl lease create --name <name>', and clients reach it at the address that 'tmsctl lease status' shows")
}

func former(use, sentence string) *cobra.Command {
	return &cobra.Command{
		Use: use, Hidden: true, DisableFlagParsing: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return cli.Usagef("%s: %s", command.Name(), sentence)
		},
	}
}
