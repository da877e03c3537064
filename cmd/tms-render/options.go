package main

import (
	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/inputfiles"
	"github.com/triton-leases/tms/pkg/render"
)

// renderOptions are the options of the main command.
type renderOptions struct {
	inputfiles.Flags
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
	o.AddFlags(command)
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
