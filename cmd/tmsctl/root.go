package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
)

const longHelp = `tmsctl acquires and manages leases of Triton Inference Server with the API of tms-server.

Server: --target or $TMSCTL_TARGET is a URL, or the name of a target that 'tmsctl target
add' saved. Without them, tmsctl calls the default target. With --kubeconfig or --context,
tmsctl reaches tms-server through the API server of a cluster, as kubectl port-forward
does. This needs the rights to get services, to list pods, and to get and create
pods/portforward in the namespace of tms-server.

Authentication: each call sends a Kubernetes token. Kubernetes RBAC decides what its owner
may do with tritonleases and tritonleasenames. Keep the token in a file. tmsctl reads the file for each call:

  kubectl create token <serviceaccount> -n <namespace> > token
  tmsctl lease list --token-file token

Or set $TMSCTL_TOKEN. All users of the machine can see the value of --token. Precedence:
--token or --token-file, then $TMSCTL_TOKEN, then the token file of the saved target, then
the token of the kubeconfig. A kubeconfig with a client certificate has no token. tmsctl
sends a token over http only to this machine.

Scripts: -z prints tab-separated columns without headers, and - for empty cells; new
columns are added at the end. -o json and -o yaml print the messages of the API. Results
go to standard output, everything else to standard error. Exit status:

  0  success
  1  another error, or the lease did not serve in time
  2  wrong usage
  3  refused: the request is invalid, the administrator's bounds forbid it, the name
     exists, or the user makes too many calls
  4  the lease or the name does not exist
  5  the server cannot be reached, is not trusted, or shuts down
  6  the caller is not authenticated or lacks a right`

const examples = `  # Save a server
  tmsctl target add prod https://tms.example.com:8443 --ca-file ca.pem --token-file token -n inference

  # Acquire a lease, wait until it serves, and release it
  tmsctl lease create -m name=resnet50,uri=s3://models/vision
  tmsctl lease release lease-4xk2p

  # Acquire a lease that scales
  tmsctl lease create -m name=resnet50,uri=s3://models/vision --gpus 2 --duration 8h \
    --enable-autoscaling --autoscaling-max-replicas 4 --autoscaling-metric queueTime=200000

  # In a script
  id=$(tmsctl lease create -z -m name=resnet50,uri=s3://models/vision) || exit`

func newRoot(o *options, s streams) *cobra.Command {
	root := &cobra.Command{
		Use:               "tmsctl",
		Short:             "Acquire and manage leases of Triton Inference Server",
		Long:              longHelp,
		Example:           examples,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(command *cobra.Command, _ []string) error { return o.check(command) },
	}
	cli.SetVersion(root)
	root.SetFlagErrorFunc(cli.FlagError)
	o.addFlags(root)
	root.AddCommand(newLease(o, s), newAllowlist(o, s), newQuota(o, s), newTarget(o, s), newDoctor(o, s), newVersion(o, s), newPool())
	root.InitDefaultCompletionCmd("completion")
	requireSubcommand(root)
	root.RunE = func(command *cobra.Command, _ []string) error { return command.Help() }
	return root
}

// requireSubcommand makes a command fail without one of its subcommands, and so each of
// these that has subcommands.
func requireSubcommand(command *cobra.Command) {
	for _, sub := range command.Commands() {
		if sub.HasSubCommands() {
			requireSubcommand(sub)
		}
	}
	command.Args = func(command *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		if err := cli.UnknownCommand(command, args[0]); err != nil {
			return err
		}
		return cli.Usagef("unknown command %q: must be one of %s", args[0], subcommands(command))
	}
	command.RunE = func(command *cobra.Command, _ []string) error {
		return cli.Usagef("a subcommand is required: one of %s", subcommands(command))
	}
}

func subcommands(command *cobra.Command) string {
	var names []string
	for _, sub := range command.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return strings.Join(names, ", ")
}

// exactArgs requires one argument for each name. If the last name ends with ..., more
// arguments are allowed.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		variadic := len(names) > 0 && strings.HasSuffix(names[len(names)-1], "...")
		switch {
		case len(args) < len(names):
			return cli.UsageError{Reason: errors.New("missing argument: " + strings.Join(names[len(args):], " "))}
		case len(args) > len(names) && !variadic:
			return cli.Usagef("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

func newVersion(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of tmsctl", Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			text := cli.Version()
			if !o.porcelain {
				text = "tmsctl " + text
			}
			_, err := fmt.Fprintln(s.out, text)
			return err
		},
	}
}
