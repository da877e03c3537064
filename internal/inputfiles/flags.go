// Package inputfiles reads the values and the TritonLeases that a command line names, and
// reports their errors with the file, the line and the column.
package inputfiles

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/helmchart"
)

// Flags are the flags that select the values, the release and the leases. Their names are
// helm's.
type Flags struct {
	Files     []string
	Namespace string
	Release   string
	Leases    []string
	// OnFile, if set, is called with the size of each file before it is parsed.
	OnFile func(size int)

	set map[helmchart.Setter]*[]string
}

// AddFlags adds the flags to a command.
func (f *Flags) AddFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringSliceVarP(&f.Files, "values", "f", nil, "YAML `file` of values or of TritonLeases, - for standard input (can specify multiple, the last one wins)")
	f.set = map[helmchart.Setter]*[]string{}
	for _, setter := range helmchart.Setters() {
		f.set[setter] = flags.StringArray(string(setter), nil, setter.Usage())
	}
	flags.StringVarP(&f.Namespace, "namespace", "n", "default", "namespace of the release, and of TritonLeases without a namespace")
	flags.StringVar(&f.Release, "release-name", "tms", "name of the release")
	flags.StringSliceVar(&f.Leases, "lease", nil, "select only the lease with this `name` or namespace/name (can specify multiple)")
	_ = command.MarkFlagFilename("values", "yaml", "yml", "json")
	_ = command.RegisterFlagCompletionFunc("lease", f.completeLease)
}

// completeLease completes the name of a lease in the files of -f.
func (f *Flags) completeLease(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all := *f
	all.Leases = nil
	all.Files = slices.DeleteFunc(slices.Clone(f.Files), func(name string) bool { return name == "-" }) // it would block the shell
	in, err := all.Read(strings.NewReader(""))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if !in.HasManifests {
		return in.LeaseNames(), cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, manifest := range in.Manifests {
		names = append(names, manifest.LeaseName(f.Namespace))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// Required returns a usage error if the command line names no input.
func (f *Flags) Required() error {
	if !f.Given() {
		return cli.Usagef("no input: give files of values or of TritonLeases with -f, or values with --set")
	}
	return nil
}

// Given reports whether the command line names an input.
func (f *Flags) Given() bool {
	for _, arguments := range f.set {
		if len(*arguments) > 0 {
			return true
		}
	}
	return len(f.Files) > 0
}
