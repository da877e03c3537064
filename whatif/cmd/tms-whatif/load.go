package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/internal/inputfiles"
	"github.com/triton-leases/tms/whatif/internal/loadfile"
	"github.com/triton-leases/tms/whatif/internal/simulation"
)

// load are the flags of the load.
type load struct {
	traffic    string
	base, peak float64
	length     time.Duration
}

// shape is a built-in load.
type shape struct {
	name string
	// length is the default length in seconds.
	length float64
	make   func(base, peak, length float64) simulation.Traffic
}

func shapes() []shape {
	return []shape{
		{"step", 2.5 * simulation.Hour, simulation.Step},
		{"ramp", 3 * simulation.Hour, simulation.Ramp},
		{"day", 24 * simulation.Hour, simulation.Day},
		{"bursts", 4 * simulation.Hour, simulation.Bursts},
	}
}

func (l *load) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&l.traffic, "traffic", "", "load: step, ramp, day, bursts, or a `file`: CSV, or JSON of a range query; - for standard input (required)")
	flags.Float64Var(&l.base, "base", 0, "lowest `rate` of step, ramp, day and bursts, in requests per second (default a tenth of --peak)")
	flags.Float64Var(&l.peak, "peak", 0, "highest `rate` of step, ramp, day and bursts, in requests per second")
	flags.DurationVar(&l.length, "length", 0, "`duration` of the load (default 2h30m for step, 3h for ramp, 24h for day, 4h for bursts, that of the file)")
	_ = command.RegisterFlagCompletionFunc("traffic", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var names []string
		for _, s := range shapes() {
			names = append(names, s.name)
		}
		return names, cobra.ShellCompDirectiveDefault
	})
}

// shape returns the built-in load that the flags name, or nil if they name a file.
func (l *load) shape() *shape {
	all := shapes()
	i := slices.IndexFunc(all, func(s shape) bool { return s.name == l.traffic })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// fromInput reports whether the load comes from standard input.
func (l *load) fromInput() bool { return l.traffic == "-" }

func (l *load) check() error {
	switch s := l.shape(); {
	case l.traffic == "":
		return fmt.Errorf("--traffic must be set: step, ramp, day, bursts or a file")
	case l.length < 0 || l.length%time.Second != 0:
		return fmt.Errorf("--length must be a whole number of seconds")
	case s == nil && (l.base != 0 || l.peak != 0):
		return fmt.Errorf("--base and --peak are for step, ramp, day and bursts: --traffic %s has its own rates", l.traffic)
	case s != nil && !(l.base >= 0 && l.peak > 0 && l.base <= l.peak): // also NaN
		return fmt.Errorf("--traffic %s needs --peak, and --base from 0 to --peak", s.name)
	}
	return nil
}

const (
	// mostRequests bounds the time of a run.
	mostRequests = 100e6
	// mostDays bounds the memory of all runs together: a second has 40 bytes.
	mostDays = 1000
)

// read returns the load of a number of runs.
func (l *load) read(stdin io.Reader, runs int) (simulation.Traffic, error) {
	var traffic simulation.Traffic
	if s := l.shape(); s != nil {
		base, length := l.base, l.length.Seconds()
		if base == 0 {
			base = l.peak / 10
		}
		if length == 0 {
			length = s.length
		}
		traffic = s.make(base, l.peak, length)
	} else {
		text, err := inputfiles.ReadFile(l.traffic, stdin)
		if err != nil {
			return traffic, err
		}
		if traffic, err = loadfile.Read(text, l.length.Seconds()); err != nil {
			return traffic, prefixed("--traffic "+l.traffic, err)
		}
	}
	if !(traffic.Length*float64(runs) <= mostDays*24*simulation.Hour) {
		return traffic, fmt.Errorf("--traffic %s: has %.4g days for each of %d alternatives, together more than %d: shorten it with --length, or remove values of --compare",
			l.traffic, traffic.Length/(24*simulation.Hour), runs, mostDays)
	}
	requests := 0.0
	for second := 0.0; second < traffic.Length && requests <= mostRequests; second++ {
		requests += traffic.Rate(second)
	}
	if requests > mostRequests {
		return traffic, fmt.Errorf("--traffic %s: has more than %.0f million requests: shorten it with --length", l.traffic, math.Round(mostRequests/1e6))
	}
	return traffic, nil
}

// prefixed returns an error with a prefix before each of its lines.
func prefixed(prefix string, err error) error {
	return fmt.Errorf("%s: %s", prefix, strings.ReplaceAll(err.Error(), "\n", "\n"+prefix+": "))
}
