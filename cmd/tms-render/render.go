package main

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/render"
)

// run is the main command.
func (o *renderOptions) run(s streams) error {
	if err := o.check(); err != nil {
		return err
	}
	result, err := o.render(s)
	if err != nil {
		return err
	}
	cli.Warn(s.err, result.Warnings)
	if o.strict && len(result.Warnings) > 0 {
		return errStrict
	}
	return o.write(result, s)
}

func (o *renderOptions) write(result *render.Result, s streams) error {
	if o.outputDir != "" {
		defer showProgress(result, s.err)()
		return writeFiles(o.outputDir, result, s.out)
	}
	if isFile(s.out) { // and no other program, which may write to the terminal, too
		defer showProgress(result, s.err)()
	}
	var err error
	if o.output == "json" {
		err = result.WriteJSON(s.out)
	} else {
		_, err = result.WriteTo(s.out)
	}
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// check finds what is wrong with the flags alone.
func (o *renderOptions) check() error {
	if err := cli.OneOf("output", o.output, "yaml", "json"); err != nil {
		return err
	}
	if o.outputDir != "" && o.output != "yaml" {
		return cli.Usagef("--output-dir writes yaml: leave --output out")
	}
	if o.outputDir != "" && len(o.leases) > 0 {
		return cli.Usagef("--output-dir holds a whole release: leave --lease out, or print to standard output")
	}
	return nil
}

func (o *renderOptions) render(s streams) (*render.Result, error) {
	options := render.Options{KubeVersion: o.kubeVersion}
	if o.chart != "" {
		options.Chart = os.DirFS(o.chart)
		if _, err := fs.Stat(options.Chart, "Chart.yaml"); err != nil {
			return nil, fmt.Errorf("--chart %s: Chart.yaml file is missing: is it a chart?", o.chart)
		}
	}
	renderer, err := render.New(options)
	if err != nil {
		return nil, err
	}
	in, err := o.read(s.in)
	if err != nil {
		return nil, err
	}
	if o.chart != "" && in.TritonLeases() > 0 {
		return nil, cli.Usagef("--chart renders another chart, and TritonLeases are rendered from the embedded one: leave --chart out")
	}
	result, err := renderer.RenderInput(o.installation(), &in.Input)
	if err != nil {
		return nil, in.explain(err)
	}
	if o.skipTests {
		result.SkipTests()
	}
	return result, nil
}

// judge decides as render does, and renders nothing.
func (o *renderOptions) judge(s streams) (*render.Judgement, error) {
	renderer, err := render.New(render.Options{})
	if err != nil {
		return nil, err
	}
	in, err := o.read(s.in)
	if err != nil {
		return nil, err
	}
	judgement, err := renderer.Judge(o.installation(), &in.Input)
	if err != nil {
		return nil, in.explain(err)
	}
	return judgement, nil
}

func (o *renderOptions) installation() render.Release {
	return render.Release{Name: o.release, Namespace: o.namespace, IsUpgrade: o.isUpgrade}
}
