package main

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/client"
)

func newTarget(o *options, s streams) *cobra.Command {
	command := &cobra.Command{
		Use: "target", Short: "Save servers, and choose the default server",
		Long: `Save servers under a name, and choose the server that tmsctl calls by default.

The file is $TMSCTL_CONFIG or tms/targets.yaml in the user's configuration folder. It
holds URLs and names of files, and never a token. tmsctl does not read it if other users
can write to it.`,
	}
	command.AddCommand(newTargetAdd(o, s), newTargetList(o, s), newTargetSet(s), newTargetRemove(s))
	return command
}

const addExamples = `  # A server at a URL
  tmsctl target add prod https://tms.example.com:8443 --ca-file ca.pem --token-file token -n inference

  # A server that is reached through the API server of a cluster
  tmsctl target add dev --context kind-dev --ca-file ca.pem --token-file token`

func newTargetAdd(o *options, s streams) *cobra.Command {
	replace := false
	command := &cobra.Command{
		Use: "add <name> [<url>]", Short: "Save a server", Example: addExamples,
		Long: "Save a server: its URL, or a kubeconfig with --kubeconfig or --context; and --ca-file,\n--tls-server-name, --token-file and --namespace. tmsctl checks the files, and saves their\nnames.",
		Args: func(command *cobra.Command, args []string) error {
			if o.kube != (kubeEndpoint{}) {
				return exactArgs("<name>")(command, args)
			}
			return exactArgs("<name>", "<url>")(command, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			added, err := o.newEndpoint(args)
			if err != nil {
				return err
			}
			saved, err := readEndpoints()
			if err != nil {
				return err
			}
			if _, exists := saved.ByName[args[0]]; exists && !replace {
				return fmt.Errorf("target %q already exists: set --replace to replace it", args[0])
			}
			saved.add(args[0], added)
			format := "Target %s is saved\n"
			if saved.Default == "" {
				saved.Default, format = args[0], "Target %s is saved and is the default\n"
			}
			if err := saved.write(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, format, args[0])
			return err
		},
	}
	command.Flags().BoolVar(&replace, "replace", false, "replace a target with the same name")
	return command
}

// newEndpoint returns the endpoint of the flags and of the arguments. Its file names are
// absolute, because tmsctl can run in any folder.
func (o *options) newEndpoint(args []string) (endpoint, error) {
	switch {
	case !endpointName.MatchString(args[0]):
		return endpoint{}, cli.Usagef("target %q: the name must be letters, digits, dots, underscores and hyphens", args[0])
	case o.token != "":
		return endpoint{}, cli.Usagef("--token cannot be saved: write the token to a file, and use --token-file")
	case o.skipVerify:
		return endpoint{}, cli.Usagef("--insecure-skip-tls-verify cannot be saved: use --ca-file")
	}
	var added endpoint
	if len(args) == 1 {
		pinned, err := o.kube.pin()
		if err != nil {
			return endpoint{}, cli.UsageError{Reason: err}
		}
		added = pinned.endpoint()
	} else {
		added.URL = args[1]
	}
	added.Namespace, added.CAFile, added.TokenFile, added.TLSServerName = o.namespace, o.caFile, o.tokenFile, o.serverName
	if err := o.checkTLS(added.URL); err != nil {
		return endpoint{}, err
	}
	if err := added.check(); err != nil {
		return endpoint{}, cli.UsageError{Reason: err}
	}
	for _, file := range []*string{&added.CAFile, &added.TokenFile} {
		if *file == "" {
			continue
		}
		absolute, err := filepath.Abs(*file)
		if err != nil {
			return endpoint{}, err
		}
		*file = absolute
	}
	return added, nil
}

// check checks the URL, and reads the files.
func (e endpoint) check() error {
	var options []client.Option
	if e.CAFile != "" {
		options = append(options, client.WithCAFile(e.CAFile))
	}
	if e.TokenFile != "" {
		if _, err := client.ReadTokenFile(e.TokenFile); err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		options = append(options, client.WithTokenFile(e.TokenFile))
	}
	_, err := client.New(e.URL, options...)
	return err
}

func newTargetSet(s streams) *cobra.Command {
	return &cobra.Command{
		Use: "set <name>", Short: "Set the default target", Args: exactArgs("<name>"), ValidArgsFunction: completeEndpointArg,
		RunE: func(_ *cobra.Command, args []string) error {
			return updateEndpoints(s, args[0], func(saved *endpoints) string {
				saved.Default = args[0]
				return "is the default"
			})
		},
	}
}

func newTargetRemove(s streams) *cobra.Command {
	return &cobra.Command{
		Use: "remove <name>", Aliases: []string{"rm"}, Short: "Remove a target", Args: exactArgs("<name>"), ValidArgsFunction: completeEndpointArg,
		RunE: func(_ *cobra.Command, args []string) error {
			return updateEndpoints(s, args[0], func(saved *endpoints) string {
				delete(saved.ByName, args[0])
				if saved.Default == args[0] {
					saved.Default = ""
					return "is removed; no default is set now"
				}
				return "is removed"
			})
		},
	}
}

// updateEndpoints applies update to the file if it has an endpoint with the name, and
// prints the result of update.
func updateEndpoints(s streams, name string, update func(*endpoints) string) error {
	saved, err := readEndpoints()
	if err != nil {
		return err
	}
	if _, err := saved.find(name); err != nil {
		return err
	}
	result := update(saved)
	if err := saved.write(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "Target %s %s\n", name, result)
	return err
}

// completeEndpointArg completes the only argument of a command.
func completeEndpointArg(command *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeEndpoints(command, args, prefix)
}

func newTargetList(o *options, s streams) *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the saved targets; * marks the default", Args: exactArgs(),
		Long: "List the saved targets; * marks the default.\n\nColumns of -z: name, URL, namespace, CA file, token file, default (true or false),\ncontext, kubeconfig.",
		RunE: func(*cobra.Command, []string) error {
			saved, err := readEndpoints()
			if err != nil {
				return err
			}
			if o.output != "" {
				return o.printValue(s.out, saved)
			}
			table := newTable(s.out, o.porcelain, "", "NAME", "URL", "NAMESPACE", "CA FILE", "TOKEN FILE", "CONTEXT", "KUBECONFIG")
			for _, name := range saved.names() {
				e, isDefault := saved.ByName[name], name == saved.Default
				kube := cmp.Or(e.Kube, new(kubeEndpoint))
				switch {
				case o.porcelain:
					table.row(name, e.URL, e.Namespace, e.CAFile, e.TokenFile, fmt.Sprint(isDefault), kube.Context, kube.Kubeconfig)
				case isDefault:
					table.row("*", name, e.URL, e.Namespace, e.CAFile, e.TokenFile, kube.Context, kube.Kubeconfig)
				default:
					table.row(" ", name, e.URL, e.Namespace, e.CAFile, e.TokenFile, kube.Context, kube.Kubeconfig)
				}
			}
			return table.flush()
		},
	}
}
