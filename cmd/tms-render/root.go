package main

import (
	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
)

const longHelp = `tms-render prints the Kubernetes manifests of leases of Triton Inference Server:
the text that 'helm template' prints for the chart tms, to the byte, without
helm, a cluster or a network.

A file given with -f may also hold TritonLeases, as people write them or as
'kubectl get tritonleases -o yaml' prints them. Then the values are those of the
installation of tms-server, and what it would make of the TritonLeases is
printed: its text, without ownerReferences, which name a uid that only a cluster
has. The leases of the values are left out.

Manifests go to standard output, warnings and adjustments to standard error.
Nothing is printed to standard output on failure. Exit status: 0 done, 1 refused
or failed, 2 wrong usage, 3 something was adjusted under --strict.`

const examples = `  # What would be installed
  tms-render -f values.yaml -n inference

  # Straight into the cluster
  tms-render -f values.yaml -n inference --skip-tests | kubectl apply -f -

  # In CI: fail where a lease does not get what it asks for
  tms-render -f values.yaml --strict > manifests.yaml

  # Who gets what, and which bound decided
  tms-render explain -f values.yaml

  # What tms-server would make of a TritonLease
  tms-render -f values.yaml -f lease.yaml -n inference`

func newRoot(s streams) *cobra.Command {
	var o renderOptions
	root := &cobra.Command{
		Use:               "tms-render",
		Short:             "Print the Kubernetes manifests of Triton leases",
		Long:              longHelp,
		Example:           examples,
		Args:              noArguments,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		RunE:              func(*cobra.Command, []string) error { return o.run(s) },
	}
	root.SetFlagErrorFunc(cli.FlagError)
	o.addFlags(root)
	root.AddCommand(newExplain(s), newChart(s), newSchema(s), newVersion(s))
	return root
}

// noArguments refuses arguments, and says what may have been meant.
func noArguments(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if err := cli.UnknownCommand(command, args[0]); err != nil {
		return err
	}
	return cli.Usagef("unexpected argument %q: values files are given with -f", args[0])
}
