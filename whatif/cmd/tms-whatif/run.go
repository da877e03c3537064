package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/inputfiles"
	"github.com/triton-leases/tms/pkg/render"
	"github.com/triton-leases/tms/whatif/internal/lease"
	"github.com/triton-leases/tms/whatif/internal/simulation"
)

// outcome is a simulated alternative.
type outcome struct {
	alternative
	*lease.Lease
	*simulation.Result
	// gpus is the number of GPUs of a replica, or unknownGPUs.
	gpus     int64
	warnings []string
}

// run simulates the values as given and all alternatives, and prints them.
func (o *options) run(s streams) error {
	if err := o.check(); err != nil {
		return err
	}
	all, err := alternatives(o.compare)
	if err != nil {
		return err
	}
	traffic, outcomes, err := o.read(s.in, all)
	if err != nil {
		return err
	}
	for i, one := range outcomes {
		for _, warning := range one.warnings {
			if i == 0 {
				cli.Warn(s.err, []string{warning})
			} else if !slices.Contains(outcomes[0].warnings, warning) {
				cli.Warn(s.err, []string{fmt.Sprintf("--compare %s: %s", one.alternative, warning)})
			}
		}
	}
	if err := o.simulate(traffic, outcomes); err != nil {
		return err
	}
	report := o.report(traffic, outcomes)
	if o.svg != "" {
		if err := os.WriteFile(o.svg, []byte(draw(outcomes)), 0o644); err != nil {
			return fmt.Errorf("--svg: %w", err)
		}
	}
	return report.write(s.out, o.output)
}

// read reads the load and the lease of each alternative. The error joins that of the load
// and those of the alternatives.
func (o *options) read(stdin io.Reader, all []alternative) (simulation.Traffic, []*outcome, error) {
	traffic, loadErr := o.load.read(stdin, len(all))
	var values []byte
	if slices.Contains(o.Files, "-") { // each alternative reads it
		var err error
		if values, err = inputfiles.ReadFile("-", stdin); err != nil {
			return traffic, nil, err
		}
	}
	renderer, err := render.New(render.Options{})
	if err != nil {
		return traffic, nil, err
	}
	given, err := o.lease(renderer, values, nil, nil)
	if err = errors.Join(loadErr, err); err != nil {
		return traffic, nil, err
	}
	outcomes := []*outcome{given}
	var faults []error
	for _, a := range all[1:] {
		one, err := o.lease(renderer, values, a, given.Lease)
		if usage := new(cli.UsageError); errors.As(err, usage) {
			return traffic, nil, err
		}
		outcomes, faults = append(outcomes, one), append(faults, a.refused(err))
	}
	return traffic, outcomes, errors.Join(faults...)
}

// lease renders the lease of an alternative. given is the lease as given, and nil if a is nil.
func (o *options) lease(renderer *render.Renderer, stdin []byte, a alternative, given *lease.Lease) (*outcome, error) {
	in, err := o.Read(bytes.NewReader(stdin))
	if err != nil {
		return nil, err
	}
	if err := a.apply(in, given, o.Namespace); err != nil {
		return nil, err
	}
	if names := in.LeaseNames(); !in.HasManifests && len(o.Leases) == 0 && len(names) == 1 {
		if err := in.Only(names...); err != nil { // without tms-server and extraObjects
			return nil, err
		}
	}
	result, err := in.Render(renderer, render.Release{Name: o.Release, Namespace: o.Namespace}, o.Leases)
	if err != nil {
		return nil, err
	}
	switch n := len(result.Leases); {
	case n == 0:
		return nil, errors.New("leases: the input has no leases: add one")
	case n > 1:
		return nil, cli.Usagef("the input has %d leases: select one with --lease", n)
	}
	l, err := lease.Of(result)
	if err != nil {
		return nil, err
	}
	one := &outcome{alternative: a, Lease: l, gpus: o.model.gpus, warnings: result.Warnings}
	if one.gpus == unknownGPUs && l.HasPods {
		one.gpus = l.GPUs
	}
	if one.gpus == unknownGPUs && o.prices.gpuHour > 0 {
		return nil, cli.Usagef("--gpu-hour-price: the pods of %s are not rendered, because it has a target: give their number of GPUs with --gpus", l.Name)
	}
	return one, l.Check(o.model.simulated(0, 0))
}

// simulate runs the outcomes in parallel.
func (o *options) simulate(traffic simulation.Traffic, outcomes []*outcome) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, one := range outcomes {
		group.Go(func() (err error) {
			threshold, _ := one.Threshold()
			one.Result, err = simulation.Run(simulation.Case{
				Traffic: traffic, System: one.System, Model: o.model.simulated(threshold, one.Drain), Cluster: o.cluster,
				ReadyAfter: o.model.startup.Seconds(), Seed: o.seed,
			})
			return err
		})
	}
	return group.Wait()
}
