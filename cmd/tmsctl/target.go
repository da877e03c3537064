package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/client"
)

func newTarget(o *options, s streams) *cobra.Command {
	command := &cobra.Command{
		Use: "target", Short: "Save which servers there are, and which of them is meant",
		Long: `Save which servers there are, and which of them is meant where none is named.

They are saved in $TMSCTL_CONFIG, or else tms/targets.yaml in the folder of the user's
configuration: URLs and the names of files, and never a token. A file that others may
write is not read.`,
	}
	command.AddCommand(newTargetAdd(o, s), newTargetList(o, s), newTargetSet(s), newTargetRemove(s))
	return command
}

func newTargetAdd(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "add <name> <url>", Short: "Save a server, with --ca-file, --token-file and --namespace", Args: exactly("<name>", "<url>"),
		RunE: func(_ *cobra.Command, args []string) error {
			added, err := o.newTarget(args[0], args[1])
			if err != nil {
				return err
			}
			saved, err := readTargets()
			if err != nil {
				return err
			}
			if _, taken := saved.Targets[args[0]]; taken {
				return fmt.Errorf("there is a target %q already: remove it first", args[0])
			}
			saved.add(args[0], added)
			sentence := "Target %s is saved\n"
			if saved.Default == "" {
				saved.Default, sentence = args[0], "Target %s is saved, and is the default\n"
			}
			if err := saved.write(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, sentence, args[0])
			return err
		},
	}
}

// newTarget checks what is to be saved. Files are saved with their whole paths,
// because they are meant wherever tmsctl is run.
func (o *options) newTarget(name, url string) (target, error) {
	switch {
	case !targetName.MatchString(name):
		return target{}, cli.Usagef("%q cannot be the name of a target: must be letters, digits, dots, underscores and hyphens", name)
	case o.token != "":
		return target{}, cli.Usagef("a token is not saved: keep it in a file, and give that with --token-file")
	case o.skipVerify:
		return target{}, cli.Usagef("--insecure-skip-tls-verify is not saved: give --ca-file")
	}
	if _, err := client.New(url); err != nil {
		return target{}, cli.UsageError{Reason: err}
	}
	added := target{URL: url, Namespace: o.namespace, CAFile: o.caFile, TokenFile: o.tokenFile}
	for _, file := range []*string{&added.CAFile, &added.TokenFile} {
		if *file == "" {
			continue
		}
		whole, err := filepath.Abs(*file)
		if err != nil {
			return target{}, err
		}
		*file = whole
	}
	return added, nil
}

func newTargetSet(s streams) *cobra.Command {
	return &cobra.Command{
		Use: "set <name>", Short: "Make a target the default", Args: exactly("<name>"), ValidArgsFunction: completeTarget,
		RunE: func(_ *cobra.Command, args []string) error {
			return changeTargets(s, args[0], func(saved *targets) string {
				saved.Default = args[0]
				return "is the default"
			})
		},
	}
}

func newTargetRemove(s streams) *cobra.Command {
	return &cobra.Command{
		Use: "remove <name>", Short: "Forget a target", Args: exactly("<name>"), ValidArgsFunction: completeTarget,
		RunE: func(_ *cobra.Command, args []string) error {
			return changeTargets(s, args[0], func(saved *targets) string {
				delete(saved.Targets, args[0])
				if saved.Default == args[0] {
					saved.Default = ""
					return "is removed, and there is no default any more"
				}
				return "is removed"
			})
		},
	}
}

// changeTargets changes what is saved, where there is a target of a name, and says what
// became of it.
func changeTargets(s streams, name string, change func(*targets) string) error {
	saved, err := readTargets()
	if err != nil {
		return err
	}
	if _, err := saved.find(name); err != nil {
		return err
	}
	became := change(saved)
	if err := saved.write(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "Target %s %s\n", name, became)
	return err
}

func completeTarget(command *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeTargets(command, args, begin)
}

func newTargetList(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the saved targets; a star marks the default", Args: exactly(),
		Long: "List the saved targets; a star marks the default.\n\nColumns of -z: name, URL, namespace, CA file, token file, whether it is the default.",
		RunE: func(*cobra.Command, []string) error {
			saved, err := readTargets()
			if err != nil {
				return err
			}
			if o.output != "" {
				return o.encodeValue(s.out, saved)
			}
			table := newTable(s.out, o.porcelain, "", "NAME", "URL", "NAMESPACE", "CA FILE", "TOKEN FILE")
			for _, name := range saved.names() {
				t, isDefault := saved.Targets[name], name == saved.Default
				switch {
				case o.porcelain:
					table.row(name, t.URL, t.Namespace, t.CAFile, t.TokenFile, fmt.Sprint(isDefault))
				case isDefault:
					table.row("*", name, t.URL, t.Namespace, t.CAFile, t.TokenFile)
				default:
					table.row(" ", name, t.URL, t.Namespace, t.CAFile, t.TokenFile)
				}
			}
			return table.flush()
		},
	}
}
