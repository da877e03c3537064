package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/triton-leases/tms/pkg/render"
)

// manyLeases is from how many on a person wants to know that something happens.
const manyLeases = 1000

// run is the main command.
func (o *renderOptions) run(s streams) error {
	if err := o.check(); err != nil {
		return err
	}
	result, err := o.render(s)
	if err != nil {
		return err
	}
	for _, warning := range result.Warnings {
		warn(s.err, warning)
	}
	if o.strict && len(result.Warnings) > 0 {
		return errStrict
	}
	if o.outputDir != "" {
		return writeFiles(o.outputDir, result, s.out)
	}
	var text bytes.Buffer
	if o.output == "json" {
		err = writeJSON(&text, result.Documents)
	} else {
		_, err = result.WriteTo(&text)
	}
	if err != nil {
		return err
	}
	if _, err = s.out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// check finds what is wrong with the flags alone.
func (o *renderOptions) check() error {
	if err := oneOf("output", o.output, "yaml", "json"); err != nil {
		return err
	}
	if o.outputDir != "" && o.output != "yaml" {
		return usageError{errors.New("--output-dir writes yaml: leave --output out")}
	}
	if o.outputDir != "" && len(o.leases) > 0 {
		return usageError{errors.New("--output-dir holds a whole release: leave --lease out, or print to standard output")}
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
	if leases, _ := in.merged["leases"].(map[string]any); len(leases) >= manyLeases && onTerminal(s.err) {
		_, _ = fmt.Fprintf(s.err, "rendering %d leases ...", len(leases))
		defer func() { _, _ = fmt.Fprint(s.err, "\r\x1b[K") }()
	}
	release := render.Release{Name: o.release, Namespace: o.namespace, IsUpgrade: o.isUpgrade}
	result, err := renderer.RenderValues(release, in.merged)
	if err != nil {
		return nil, in.explain(err)
	}
	if o.skipTests {
		result.SkipTests()
	}
	return result, nil
}
