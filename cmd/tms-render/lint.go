package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/inputfiles"
	"github.com/triton-leases/tms/pkg/render"
)

const longLint = `lint validates values and TritonLeases as rendering does, and prints only problems:
all errors of an input, or its adjustments and warnings if it has no errors, sorted by
file, line and column.

The files of -f are one input, merged as for rendering. Each FILE is an input of its
own, over the files of -f. This is for a hook that gives the changed files.

Exit status: 0 no errors, 1 errors, 2 wrong usage, 3 adjustments or warnings under
--strict.`

const lintExamples = `  # The values of one release
  tms-render lint -f values.yaml -f production.yaml

  # Each lease of a folder, with the bounds of the administrator
  tms-render lint -f bounds.yaml leases/*.yaml

  # Annotations of a pull request on GitHub
  tms-render lint -f values.yaml --strict -o github`

func newLint(s streams) *cobra.Command {
	var o renderOptions
	command := &cobra.Command{
		Use:     "lint [FILE]...",
		Short:   "Validate values and TritonLeases, and print only problems",
		Long:    longLint,
		Example: lintExamples,
		Args:    cobra.ArbitraryArgs,
		RunE:    func(_ *cobra.Command, files []string) error { return o.lint(files, s) },
	}
	flags := command.Flags()
	flags.SortFlags = false
	o.AddFlags(command)
	flags.StringVarP(&o.output, "output", "o", "text", "output `format`: text (on standard error), json, sarif, or github (workflow commands)")
	flags.BoolVar(&o.strict, "strict", false, "exit with status 3 if there are adjustments or warnings")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(lintFormats, cobra.ShellCompDirectiveNoFileComp))
	return command
}

// errProblems ends lint if there are errors. They are already printed.
var errProblems = errors.New("the input has errors")

// lint validates the input of the flags, or each file over it.
func (o *renderOptions) lint(files []string, s streams) error {
	if err := o.checkLint(files); err != nil {
		return err
	}
	inputs := [][]string{o.Files}
	if len(files) > 0 {
		inputs = nil
		for _, file := range files {
			inputs = append(inputs, append(slices.Clone(o.Files), file))
		}
	}
	renderer, err := o.renderer()
	if err != nil {
		return err
	}
	var all findings
	for _, input := range inputs {
		one := *o
		one.Files = input
		found, err := one.findings(renderer, s)
		if err != nil {
			return err
		}
		all.add(found)
	}
	all.sort()
	if err := all.print(o.output, s); err != nil {
		return err
	}
	switch {
	case all.has(levelError):
		return errProblems
	case o.strict && all.has(levelWarning):
		return errStrict
	}
	return nil
}

func (o *renderOptions) checkLint(files []string) error {
	if err := cli.OneOf("output", o.output, lintFormats...); err != nil {
		return err
	}
	if slices.Contains(files, "") {
		return cli.Usagef("a file name must not be empty")
	}
	if len(files) == 0 {
		return o.Required()
	}
	if slices.Contains(o.Files, "-") {
		return cli.Usagef("-f - and files as arguments: standard input can be read once: write it to a file")
	}
	return nil
}

// findings returns the problems of one input. The error is that of a wrong command line.
func (o *renderOptions) findings(renderer *render.Renderer, s streams) (findings, error) {
	in, result, err := o.renderWith(renderer, s)
	if errors.As(err, new(cli.UsageError)) {
		return nil, err
	}
	var found findings
	if err != nil {
		for _, one := range inputfiles.ProblemsOf(err) {
			found = append(found, findingOf(one, levelError))
		}
		return found, nil
	}
	adjusted := adjustments(result)
	warnings, _ := o.warnings(in, result)
	for _, warning := range warnings {
		one := locate(in, warning, o.Namespace)
		if one.Rule = "warning"; adjusted[warning] {
			one.Rule = "adjusted"
		}
		found = append(found, findingOf(one, levelWarning))
	}
	return found, nil
}

// adjustments returns the warnings that are adjustments.
func adjustments(result *render.Result) map[string]bool {
	all := map[string]bool{}
	for _, lease := range result.Leases {
		prefix := ""
		if lease.Namespace != "" {
			prefix = lease.String() + ": "
		}
		for _, adjustment := range lease.Grant.Adjustments {
			all[prefix+adjustment.String()] = true
		}
	}
	return all
}

// locate returns a warning with the position of the key that it begins with.
func locate(in *inputfiles.Input, warning, namespace string) inputfiles.Problem {
	for _, manifest := range in.Manifests {
		if rest, ok := strings.CutPrefix(warning, manifest.LeaseName(namespace)+": "); ok {
			key, _, _ := strings.Cut(rest, ": ")
			line, column := manifest.Position(key)
			return inputfiles.Problem{Source: in.Files[manifest.File], Line: line, Column: column, Err: errors.New(warning)}
		}
	}
	key, _, _ := strings.Cut(warning, ": ")
	found := in.Origin(key)
	if found.Err = errors.New(warning); found.Source == "" && len(in.Files) > 0 {
		found.Source = in.Files[len(in.Files)-1]
	}
	return found
}
