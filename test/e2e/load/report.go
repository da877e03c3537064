package main

import (
	"fmt"
	"time"

	"github.com/triton-leases/tms/test/e2e/table"
)

// report returns a Markdown table of all fleets, with those of an earlier run if it has any.
func (r *results) report(before *results) string {
	if len(r.Fleets) == 0 {
		return ""
	}
	rows := [][]string{{"Leases"}}
	var fleets []*fleet
	for _, f := range r.Fleets {
		if old := before.fleet(f.Leases); old != nil {
			rows[0] = append(rows[0], table.Thousands(f.Leases)+", before")
			fleets = append(fleets, old)
		}
		rows[0] = append(rows[0], table.Thousands(f.Leases))
		fleets = append(fleets, f)
	}
	row := func(what string, value func(*fleet) string) {
		cells := []string{what}
		for _, f := range fleets {
			cells = append(cells, value(f))
		}
		rows = append(rows, cells)
	}
	calls := func(s step) string { return fmt.Sprintf("%.1f, %.1f", s.eachRead(), s.eachWrite()) }
	row("time until all leases are created", func(f *fleet) string { return round(f.Created) })
	row("time until all leases are granted and have their objects", func(f *fleet) string { return round(f.Granted.Took) })
	row("new lease: reads, writes", func(f *fleet) string { return calls(f.Granted) })
	row("new leases: writes of shared objects", func(f *fleet) string { return fmt.Sprint(f.Granted.Calls.SharedWrites) })
	row("new lease: CPU time", func(f *fleet) string { return milliseconds(f.Granted.eachCPU()) })
	row("idle: API calls", func(f *fleet) string { return fmt.Sprint(f.Idle.Calls.total()) })
	row("idle: CPU time in a minute", func(f *fleet) string {
		return round(time.Duration(f.Idle.CPU / (f.Idle.Took + idleTime).Minutes() * float64(time.Second)))
	})
	row("resident memory without leases", func(f *fleet) string { return fmt.Sprintf("%.0f MiB", f.BaseMemory/mebi) })
	row("resident memory with all leases", func(f *fleet) string { return fmt.Sprintf("%.0f MiB", f.Memory/mebi) })
	row("heap with all leases, after a collection", func(f *fleet) string { return fmt.Sprintf("%.0f MiB", f.Heap/mebi) })
	row("peak resident memory, in all steps before the restart", func(f *fleet) string { return fmt.Sprintf("%.0f MiB", f.Peak/mebi) })
	row("memory for a lease", func(f *fleet) string { return fmt.Sprintf("%.0f KiB", f.eachMemory()) })
	row("changed configuration: time until it is in force for all", func(f *fleet) string { return round(f.Changed.Took) })
	row("changed configuration: reads, writes for a lease", func(f *fleet) string { return calls(f.Changed) })
	row("changed configuration: CPU time for a lease", func(f *fleet) string { return milliseconds(f.Changed.eachCPU()) })
	row("configuration that changes no object: reads, writes for a lease", func(f *fleet) string { return calls(f.Unchanged) })
	row("configuration that changes no object: CPU time for a lease", func(f *fleet) string { return milliseconds(f.Unchanged.eachCPU()) })
	row("new lease, idle server: median, slowest", func(f *fleet) string {
		var all latencies
		for _, batch := range f.Quiet {
			all = append(all, batch...)
		}
		worst, _ := f.quietWorst()
		return fmt.Sprintf("%s, %s", round(all.median()), round(worst))
	})
	row("new lease, changed configuration: median, slowest", func(f *fleet) string { return meanwhile(f.Busy) })
	row("new lease, flood by another tenant: median, slowest", func(f *fleet) string { return meanwhile(f.Flood) })
	row("the same writes without tms-server: median, slowest", func(f *fleet) string {
		return fmt.Sprintf("%s, %s", round(f.QuietAlone.median()), round(f.QuietAlone.worst()))
	})
	row("the same writes without tms-server, flood: median, slowest", func(f *fleet) string { return meanwhile(f.FloodAlone) })
	row("restart: writes, time until a new lease is made", func(f *fleet) string { return f.Restart.String() })
	row("change of leader: writes, time until a new lease is made", func(f *fleet) string { return f.Failover.String() })
	return machineLine() + table.Markdown(rows, 1)
}

// String returns the writes and the time until a new lease is made.
func (t takeover) String() string { return fmt.Sprintf("%d, %s", t.Calls.writes(), round(t.NewLease)) }

// meanwhile returns the median and the maximum, and the number of leases if it is not
// newLeases.
func meanwhile(l latencies) string {
	text := fmt.Sprintf("%s, %s", round(l.median()), round(l.worst()))
	if len(l) != newLeases {
		text += fmt.Sprintf(" (%d)", len(l))
	}
	return text
}

// reportRequirements returns a Markdown table of what must hold, and what is missed.
func (r *results) reportRequirements() (text string, missed []string) {
	if len(r.Fleets) == 0 {
		return "", nil
	}
	rows := [][]string{{"At most", "limit", "measured", "noise", "verdict"}}
	for _, one := range r.requirements() {
		noise := "none"
		if one.noise > 0 {
			noise = fmt.Sprintf("%.0f %%", 100*one.noise)
		}
		rows = append(rows, []string{one.what, one.format(one.limit), one.format(one.measured), noise, one.verdict()})
		if one.missed() {
			missed = append(missed, fmt.Sprintf("%s: %s, at most %s", one.what, one.format(one.measured), one.format(one.limit)))
		}
	}
	loops := fmt.Sprintf("On the reference machine, the reference loop takes %.1f ms of CPU time. Here it takes %.1f ms, so the limits of CPU time are multiplied by %.2f. The slowest tenth of the loops took %.0f %% longer: this is the noise.\n\n",
		1000*limitsLoop.Seconds(), 1000*r.Loops.median().Seconds(), r.speed(), 100*r.Loops.spread())
	return loops + table.Markdown(rows, 1), missed
}

// machineLine returns a line that describes the machine.
func machineLine() string {
	return "One run. etcd, the API server, the controller manager and tms-server share " + table.Machine() + ".\n\n"
}

func round(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", 1000*d.Seconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
