package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
)

const longHelp = `tmsctl acquires leases of Triton Inference Server from tms-server, and looks after
them.

Which server: --target, or $TMSCTL_TARGET, names a URL or a target that 'tmsctl
target add' saved; without them it is the saved default.

Who calls: each call carries a token of Kubernetes, and may what Kubernetes lets its
holder do with tritonleases. Keep it in a file, which is read anew for each call:

  kubectl create token <serviceaccount> -n <namespace> > token
  tmsctl lease list --token-file token

or in $TMSCTL_TOKEN. --token shows it to everybody on the machine. Flags win over
$TMSCTL_TOKEN, and that wins over the token file of a saved target. The token of
kubectl's own configuration is not read. No token is sent over plain http, but to this
machine, as with kubectl port-forward.

For scripts: -z prints tab-separated columns without headers, to which new ones are
added at the end only, and - for what there is not; -o json and -o yaml print the
messages of the API. What was asked for goes to standard output, all else to standard
error. Exit status:

  0  done
  1  something failed that is none of these; a lease did not serve in time
  2  wrong usage
  3  refused: the request is wrong, or the administrator's bounds forbid it, or the
     name is taken, or there are too many calls
  4  there is no such lease
  5  the server cannot be reached or trusted, or is ending
  6  the server does not know who calls, or does not let them`

const examples = `  # Save where the server is, once
  tmsctl target add prod https://tms.example.com:8443 --ca-file ca.pem --token-file token -n inference

  # Acquire a Triton, wait until it serves, and give it back
  tmsctl lease create -m name=resnet50,uri=s3://models/vision
  tmsctl lease release lease-4xk2p

  # One that scales
  tmsctl lease create -m name=resnet50,uri=s3://models/vision --gpus 2 --duration 8h \
    --enable-autoscaling --autoscaling-max-replicas 4 --autoscaling-metric queueTime=200000

  # In a script
  id=$(tmsctl lease create -z -m name=resnet50,uri=s3://models/vision) || exit`

func newRoot(o *options, s streams) *cobra.Command {
	root := &cobra.Command{
		Use:               "tmsctl",
		Short:             "Acquire leases of Triton Inference Server, and look after them",
		Long:              longHelp,
		Example:           examples,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(command *cobra.Command, _ []string) error { return o.check(command.Flags()) },
	}
	root.SetFlagErrorFunc(cli.FlagError)
	o.addFlags(root)
	root.AddCommand(newLease(o, s), newAllowlist(o, s), newTarget(o, s), newVersion(o, s), newPool())
	root.InitDefaultCompletionCmd("completion")
	for _, command := range root.Commands() {
		if command.HasSubCommands() {
			group(command)
		}
	}
	group(root)
	root.RunE = func(command *cobra.Command, _ []string) error { return command.Help() }
	return root
}

// group makes a command one that does nothing without one of its subcommands.
func group(command *cobra.Command) {
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
		return cli.Usagef("a command is missing: one of %s", subcommands(command))
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

// exactly refuses a number of arguments that is not that of their names, or less of
// them where the last name ends in ... .
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		many := len(names) > 0 && strings.HasSuffix(names[len(names)-1], "...")
		switch {
		case len(args) < len(names):
			return cli.UsageError{Reason: errors.New("missing: " + strings.Join(names[len(args):], " "))}
		case len(args) > len(names) && !many:
			return cli.Usagef("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

func newVersion(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of tmsctl", Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			text := "tmsctl " + version()
			if o.porcelain {
				text = version()
			}
			_, err := fmt.Fprintln(s.out, text)
			return err
		},
	}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
