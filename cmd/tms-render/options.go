package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/pkg/render"
)

// valueOptions are the flags that select the values, the release and the leases. Their
// names are helm's.
type valueOptions struct {
	files     []string
	set       map[helmchart.Setter]*[]string
	namespace string
	release   string
	leases    []string
}

func (o *valueOptions) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringSliceVarP(&o.files, "values", "f", nil, "YAML `file` of values or of TritonLeases, - for standard input (can specify multiple, the last one wins)")
	o.set = map[helmchart.Setter]*[]string{}
	for _, setter := range helmchart.Setters() {
		o.set[setter] = flags.StringArray(string(setter), nil, setter.Usage())
	}
	flags.StringVarP(&o.namespace, "namespace", "n", "default", "namespace of the release, and of TritonLeases without a namespace")
	flags.StringVar(&o.release, "release-name", "tms", "name of the release")
	flags.StringSliceVar(&o.leases, "lease", nil, "select only the lease with this `name` or namespace/name (can specify multiple)")
	_ = command.MarkFlagFilename("values", "yaml", "yml", "json")
	_ = command.RegisterFlagCompletionFunc("lease", o.completeLease)
}

// completeLease completes the name of a lease in the files of -f.
func (o *valueOptions) completeLease(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all := *o
	all.leases = nil
	all.files = slices.DeleteFunc(slices.Clone(o.files), func(name string) bool { return name == "-" }) // it would block the shell
	in, err := all.read(strings.NewReader(""))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if !in.hasManifests {
		return in.LeaseNames(), cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, manifest := range in.manifests {
		names = append(names, manifest.LeaseName(o.namespace))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// renderOptions are the options of the main command.
type renderOptions struct {
	valueOptions
	output      string
	outputDir   string
	prune       bool
	strict      bool
	chart       string
	kubeVersion string
	skipTests   bool
	isUpgrade   bool
}

func (o *renderOptions) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.SortFlags = false
	o.valueOptions.addFlags(command)
	flags.StringVarP(&o.output, "output", "o", "yaml", "output `format`: yaml, or json (a List)")
	flags.StringVar(&o.outputDir, "output-dir", "", "write the manifests to files in this `directory`, one for each template, and remove the files of templates that no longer render anything")
	flags.BoolVar(&o.prune, "prune", false, "with --output-dir: remove the files of earlier runs even if the input renders no manifests at all")
	flags.BoolVar(&o.strict, "strict", false, "if there are adjustments or warnings, print no manifests and exit with status 3")
	flags.StringVar(&o.chart, "chart", "", "render the chart in this `directory` instead of the embedded one")
	flags.StringVar(&o.kubeVersion, "kube-version", render.DefaultKubeVersion, "Kubernetes `version` to render for")
	flags.BoolVar(&o.skipTests, "skip-tests", false, "leave the pod of helm test out of the output")
	flags.BoolVar(&o.isUpgrade, "is-upgrade", false, "render for helm upgrade instead of helm install")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"yaml", "json"}, cobra.ShellCompDirectiveNoFileComp))
	_ = command.MarkFlagDirname("output-dir")
	_ = command.MarkFlagDirname("chart")
}
