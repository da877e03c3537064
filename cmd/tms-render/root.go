package main

import (
	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
)

const longHelp = `tms-render prints the Kubernetes manifests of leases of Triton Inference Server.
It prints what 'helm template' prints for the chart tms, byte for byte, without
helm, a cluster or a network.

A file of -f can also hold TritonLeases: manifests, or the output of
'kubectl get tritonleases -o yaml'. tms-render then prints the manifests that
tms-server would apply for the TritonLeases. Give the values of the tms-server
release, too. The leases in these values are not rendered. The manifests have no
ownerReferences, because a lease has a uid only in the cluster.

Each file, and standard input, may have at most 256 MiB.

Manifests go to standard output, warnings and adjustments to standard error. If
tms-render fails, it prints nothing to standard output.

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 adjustments or
warnings under --strict.`

const examples = `  # Print the manifests that helm would install
  tms-render -f values.yaml -n inference

  # Apply them to the cluster
  tms-render -f values.yaml -n inference --skip-tests | kubectl apply -f -

  # In CI: fail if a lease does not get what it asks for
  tms-render -f values.yaml --strict > manifests.yaml

  # In a hook: validate, and print only errors and warnings
  tms-render lint -f values.yaml

  # Show what each lease asked for, what it was granted, and why
  tms-render explain -f values.yaml

  # Print the manifests that tms-server would apply for a TritonLease
  tms-render -f values.yaml -f lease.yaml -n inference`

var noArguments = cli.NoArguments(": give values files with -f")

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
		PersistentPreRunE: func(command *cobra.Command, _ []string) error {
			return cli.NotEmpty(command.Flags(), "values", "namespace", "release-name", "lease", "output-dir", "chart", "kube-version", "destination")
		},
		RunE: func(command *cobra.Command, _ []string) error {
			if command.Flags().NFlag() == 0 {
				command.SetOut(s.err)
				_ = command.Help()
				return errNoInput
			}
			return o.run(s)
		},
	}
	cli.SetVersion(root)
	root.SetFlagErrorFunc(cli.FlagError)
	o.addFlags(root)
	root.AddCommand(newExplain(s), newLint(s), newChart(s), newSchema(s), newVersion(s))
	return root
}
