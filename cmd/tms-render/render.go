package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/triton-leases/tms/cmd/tms-render/internal/collect"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/inputfiles"
	"github.com/triton-leases/tms/pkg/render"
)

// run runs the main command.
func (o *renderOptions) run(s streams) error {
	if err := o.check(); err != nil {
		return err
	}
	in, result, err := o.render(s)
	if err != nil {
		return err
	}
	if err := o.warn(in, result, s); err != nil {
		return err
	}
	return o.write(result, s)
}

func (o *renderOptions) write(result *render.Result, s streams) error {
	if o.outputDir != "" {
		return o.writeFiles(result, s)
	}
	if isFile(s.out) { // the reader of a pipe may write to the same terminal
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

// writeFiles writes the files of --output-dir. SIGINT and SIGTERM end it before it changes
// the first file, or not at all.
func (o *renderOptions) writeFiles(result *render.Result, s streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	remove := showProgress(result, s.err)
	kept, err := outputFolder{o.outputDir, o.prune}.write(ctx, result, s.out)
	remove()
	if err != nil || len(kept) == 0 {
		return err
	}
	cli.Warn(s.err, []string{fmt.Sprintf("--output-dir: the input renders no manifests, so files of an earlier run stay: remove them with --prune: %s", strings.Join(kept, ", "))})
	if o.strict {
		return errStrict
	}
	return nil
}

// check returns a usage error if flags contradict each other.
func (o *renderOptions) check() error {
	if err := cli.OneOf("output", o.output, "yaml", "json"); err != nil {
		return err
	}
	if o.prune && o.outputDir == "" {
		return cli.Usagef("--prune removes files of --output-dir: set --output-dir, or remove --prune")
	}
	if o.outputDir != "" && o.output != "yaml" {
		return cli.Usagef("--output-dir writes yaml: remove --output")
	}
	if o.outputDir != "" && len(o.Leases) > 0 {
		return cli.Usagef("--output-dir writes a whole release: remove --lease, or print to standard output")
	}
	if o.chart != "" {
		return nil // a chart can render its defaults
	}
	return o.Required()
}

// render reads and renders the input.
func (o *renderOptions) render(s streams) (*inputfiles.Input, *render.Result, error) {
	renderer, err := o.renderer()
	if err != nil {
		return nil, nil, err
	}
	return o.renderWith(renderer, s)
}

func (o *renderOptions) renderer() (*render.Renderer, error) {
	options := render.Options{KubeVersion: o.kubeVersion}
	if o.chart != "" {
		options.Chart = os.DirFS(o.chart)
		if _, err := fs.Stat(options.Chart, "Chart.yaml"); err != nil {
			return nil, fmt.Errorf("--chart %s: not a chart: Chart.yaml file is missing", o.chart)
		}
	}
	return render.New(options)
}

// largeInput is the size in bytes of a values file with about a thousand leases.
const largeInput = 256 << 10

func (o *renderOptions) renderWith(renderer *render.Renderer, s streams) (*inputfiles.Input, *render.Result, error) {
	o.OnFile = func(size int) {
		if size > largeInput {
			collect.ForLargeInput()
		}
	}
	in, err := o.Read(s.in)
	if err != nil {
		return nil, nil, err
	}
	if o.chart != "" && in.HasManifests {
		return nil, nil, cli.Usagef("--chart cannot render TritonLeases, which need the embedded chart: remove --chart")
	}
	release := render.Release{Name: o.Release, Namespace: o.Namespace, IsUpgrade: o.isUpgrade}
	result, err := in.Render(renderer, release, o.Leases)
	if err != nil {
		return nil, nil, err
	}
	if o.skipTests {
		result.SkipTests()
	}
	return in, result, nil
}
