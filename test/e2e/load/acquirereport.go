package main

import (
	"fmt"

	"github.com/triton-leases/tms/test/e2e/table"
)

// reportCalls returns a Markdown table of the calls of Acquire.
func reportCalls(all []acquired) string {
	if len(all) == 0 {
		return ""
	}
	rows := [][]string{{fmt.Sprintf("%d concurrent calls of Acquire", all[0].calls), "without waiting", "waiting until it serves", "waiting, servers killed"}}
	row := func(what string, value func(acquired) string) {
		cells := []string{what}
		for _, r := range all {
			cells = append(cells, value(r))
		}
		rows = append(rows, cells)
	}
	unlessKilled := func(value func(acquired) string) func(acquired) string {
		return func(r acquired) string {
			if r.kills > 0 {
				return "-"
			}
			return value(r)
		}
	}
	row("time to answer: median", func(r acquired) string { return round(r.latencies.median()) })
	row("time to answer: 99th percentile", func(r acquired) string { return round(r.latencies.percentile(99)) })
	row("time until all calls are answered", func(r acquired) string { return round(r.all) })
	row("servers killed", func(r acquired) string { return fmt.Sprint(r.kills) })
	row("attempts per call", func(r acquired) string { return fmt.Sprintf("%.1f", float64(r.tries)/float64(r.calls)) })
	row("reads, writes for a lease, until the server is idle", unlessKilled(func(r acquired) string {
		return fmt.Sprintf("%.1f, %.1f", r.settled.eachRead(), r.settled.eachWrite())
	}))
	row("CPU time for a lease, until the server is idle", unlessKilled(func(r acquired) string { return milliseconds(r.settled.eachCPU()) }))
	row("resident memory before the calls", unlessKilled(func(r acquired) string { return fmt.Sprintf("%.0f MiB", r.before/mebi) }))
	row("peak resident memory", unlessKilled(func(r acquired) string { return fmt.Sprintf("%.0f MiB", r.peak/mebi) }))
	row("calls without a lease, or leases without a call", func(acquired) string { return "0" }) // otherwise acquire returns an error
	return machineLine() + table.Markdown(rows, 1)
}
