package main

import (
	"fmt"
	"math"
	"time"

	"github.com/triton-leases/tms/test/e2e/table"
)

// smallFleet is the number of leases from which times, CPU times and memory are judged: in
// smaller fleets the cost of the process itself shows. Counts are always judged. Exponents are
// judged up to largeFleet.
const (
	smallFleet = 1000
	largeFleet = 5 * smallFleet
)

// requirement is a value that must be at most its limit.
type requirement struct {
	what            string
	limit, measured float64
	// noise is by how much the measured value can be too large on this machine, as a share.
	noise  float64
	format func(float64) string
	// unjudged is why the requirement is not judged, if it is not.
	unjudged string
}

// missed reports whether the value exceeds the limit by more than the noise.
func (r requirement) missed() bool {
	return r.unjudged == "" && r.measured > r.limit*(1+r.noise)
}

func (r requirement) verdict() string {
	switch {
	case r.unjudged != "":
		return r.unjudged
	case r.missed():
		return "**missed**"
	case r.measured > r.limit:
		return "within the noise"
	}
	return "met"
}

// speed returns how much slower than the machine of the limits this one is.
func (r *results) speed() float64 { return r.Loops.median().Seconds() / limitsLoop.Seconds() }

// requirements returns what must hold.
func (r *results) requirements() (all []requirement) {
	for i, f := range r.Fleets {
		all = append(all, r.fleetRequirements(f)...)
		if i > 0 {
			all = append(all, r.growth(r.Fleets[i-1], f)...)
		}
	}
	return all
}

func (r *results) fleetRequirements(f *fleet) (all []requirement) {
	add := func(judgedFrom int, what string, limit, measured, noise float64, format func(float64) string) {
		one := requirement{what: fmt.Sprintf("%s leases: %s", table.Thousands(f.Leases), what), limit: limit, measured: measured, noise: noise, format: format}
		if f.Leases < judgedFrom {
			one.unjudged = fmt.Sprintf("judged from %s leases", table.Thousands(judgedFrom))
		}
		all = append(all, one)
	}
	add(0, "writes for a new lease", 7, tenth(f.Granted.eachWrite()), 0, plain)
	add(0, "reads for a new lease", 0, tenth(f.Granted.eachRead()), 0, plain)
	add(0, "API calls while nothing changes", 0, float64(f.Idle.Calls.total()), 0, plain)
	add(0, "writes when a configuration changes no object", 0, float64(f.Unchanged.Calls.writes()), 0, plain)
	cpu := r.Loops.spread()
	add(smallFleet, "CPU time for a new lease", 14*r.speed(), f.Granted.eachCPU(), cpu, milliseconds)
	add(smallFleet, "CPU time for a lease, changed configuration", 5*r.speed(), f.Changed.eachCPU(), cpu, milliseconds)
	add(smallFleet, "CPU time for a lease, configuration that changes no object", 0.3*r.speed(), f.Unchanged.eachCPU(), cpu, milliseconds)
	add(largeFleet, "memory for a lease", 40, f.eachMemory(), 0, func(kibi float64) string { return fmt.Sprintf("%.0f KiB", kibi) })

	quiet, noise := f.quietWorst()
	for _, busy := range []struct {
		what     string
		limit    float64
		all      latencies
		took, in time.Duration
		unjudged string
	}{
		{"slowest new lease during a change of the configuration ÷ slowest on an idle server", 3, f.Busy, f.Busy.worst(), quiet, ""},
		{"slowest new lease during a flood ÷ slowest on an idle server", 3, f.Flood, f.Flood.worst(), quiet, "the API server decides"},
		{"slowest new lease during a flood ÷ slowest of the same writes without tms-server", 3, f.Flood, f.Flood.worst(), f.FloodAlone.worst(), ""},
		{"median new lease during a flood ÷ median of the same writes without tms-server", 2, f.Flood, f.Flood.median(), f.FloodAlone.median(), ""},
	} {
		if busy.in == 0 {
			add(0, busy.what, busy.limit, 0, noise, ratio)
			all[len(all)-1].unjudged = "not measured"
			continue
		}
		add(smallFleet, busy.what, busy.limit, busy.took.Seconds()/busy.in.Seconds(), noise, ratio)
		last := &all[len(all)-1]
		if last.unjudged == "" {
			last.unjudged = busy.unjudged
		}
		if n := len(busy.all); n < newLeases/2 && last.unjudged == "" && !last.missed() {
			last.unjudged = fmt.Sprintf("only %d of %d new leases were created meanwhile", n, newLeases)
		}
	}
	for _, t := range []struct {
		what string
		takeover
	}{{"restart", f.Restart}, {"change of leader", f.Failover}} {
		add(0, t.what+": writes", 0, float64(t.Calls.writes()), 0, plain)
		add(0, t.what+": time until a new lease is made", 20, t.NewLease.Seconds(), slowdown(t.Others), seconds)
	}
	return all
}

// growth returns the requirements on exponents: n leases cost n to the power of the exponent.
func (r *results) growth(small, large *fleet) (all []requirement) {
	add := func(what string, from, to step, value func(step) float64, noise float64) {
		n := math.Log(float64(to.Leases) / float64(from.Leases))
		one := requirement{
			what:  fmt.Sprintf("%s to %s leases: exponent of %s", table.Thousands(small.Leases), table.Thousands(large.Leases), what),
			limit: 1.1, measured: math.Log(value(to)/value(from)) / n, noise: math.Log(1+noise) / n / 1.1, format: hundredth,
		}
		switch {
		case small.Leases < smallFleet:
			one.unjudged = fmt.Sprintf("judged from %s leases", table.Thousands(smallFleet))
		case large.Leases > largeFleet:
			one.unjudged = fmt.Sprintf("judged up to %s leases", table.Thousands(largeFleet))
		case value(from) < 0.05: // the kernel counts CPU time in hundredths of a second
			one.unjudged = "too short to measure"
		}
		all = append(all, one)
	}
	took := func(s step) float64 { return s.Took.Seconds() }
	cpu := func(s step) float64 { return s.CPU }
	both := (1+r.Loops.spread())*(1+r.Loops.spread()) - 1
	add("the time until all are granted", small.Granted, large.Granted, took, slowdown(large.Granted.Others))
	add("the time of a changed configuration", small.Changed, large.Changed, took, slowdown(large.Changed.Others))
	add("the CPU time until all are granted", small.Granted, large.Granted, cpu, both)
	add("the CPU time of a changed configuration", small.Changed, large.Changed, cpu, both)
	add("the CPU time of a configuration that changes no object", small.Unchanged, large.Unchanged, cpu, both)
	return all
}

// quietWorst returns the mean of the worst times of the quiet batches, and by how much they
// differ from it at most, as a share.
func (f *fleet) quietWorst() (mean time.Duration, noise float64) {
	var least, most time.Duration
	for i, batch := range f.Quiet {
		worst := batch.worst()
		mean += worst / time.Duration(len(f.Quiet))
		if i == 0 || worst < least {
			least = worst
		}
		most = max(most, worst)
	}
	if mean > 0 {
		noise = (most - least).Seconds() / 2 / mean.Seconds()
	}
	return mean, noise
}

// slowdown returns by how much longer work took because others used a share of the CPU time.
func slowdown(others float64) float64 { return others / max(0.1, 1-others) }

func tenth(n float64) float64 { return math.Round(10*n) / 10 }

func plain(n float64) string        { return fmt.Sprintf("%g", n) }
func ratio(n float64) string        { return fmt.Sprintf("%.1f times", n) }
func hundredth(n float64) string    { return fmt.Sprintf("%.2f", n) }
func milliseconds(n float64) string { return fmt.Sprintf("%.2f ms", n) }
func seconds(n float64) string      { return fmt.Sprintf("%.1f s", n) }
