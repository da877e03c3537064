package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// report returns a Markdown table of all fleets.
func report(all []result) string {
	if len(all) == 0 {
		return ""
	}
	table := [][]string{{"Leases"}}
	for _, r := range all {
		table[0] = append(table[0], thousands(r.leases))
	}
	row := func(what string, value func(result) string) {
		cells := []string{what}
		for _, r := range all {
			cells = append(cells, value(r))
		}
		table = append(table, cells)
	}
	each := func(calls float64, r result) float64 { return calls / float64(r.leases) }
	row("time until all leases are created", func(r result) string { return round(r.created) })
	row("time until all leases are granted and have their objects", func(r result) string { return round(r.granted) })
	row("API calls per lease, until the server is idle", func(r result) string {
		return fmt.Sprintf("%.1f (%.1f writes)", each(r.settled.calls, r), each(r.settled.calls-r.settled.reads, r))
	})
	row("CPU time per lease, until the server is idle", func(r result) string { return fmt.Sprintf("%.1f ms", 1000*each(r.settled.cpu, r)) })
	row("API calls in an idle minute", func(r result) string { return fmt.Sprintf("%.0f", r.idle) })
	row("resident memory without leases", func(r result) string { return fmt.Sprintf("%.0f MiB", r.before/mebi) })
	row("resident memory with all leases", func(r result) string { return fmt.Sprintf("%.0f MiB", r.after/mebi) })
	row("memory per lease", func(r result) string { return fmt.Sprintf("%.0f KiB", each(r.after-r.before, r)/1024) })
	row("configuration change: time until all leases are reconciled", func(r result) string { return round(r.reconfiguredAfter) })
	row("configuration change: API calls per lease", func(r result) string { return fmt.Sprintf("%.1f", each(r.reconfigured.calls, r)) })
	row("time to grant a new lease, idle server: median, maximum", func(r result) string { return medianMaximum(r.newIdle) })
	row("time to grant a new lease, during a configuration change: median, maximum", func(r result) string { return medianMaximum(r.newBusy) })

	return markdown(table)
}

// reportCalls returns a Markdown table of the calls of Acquire.
func reportCalls(all []acquired) string {
	if len(all) == 0 {
		return ""
	}
	table := [][]string{{fmt.Sprintf("%d concurrent calls of Acquire", all[0].calls), "without waiting", "waiting until it serves", "waiting, servers killed"}}
	row := func(what string, value func(acquired) string) {
		cells := []string{what}
		for _, r := range all {
			cells = append(cells, value(r))
		}
		table = append(table, cells)
	}
	unlessKilled := func(value func(acquired) string) func(acquired) string {
		return func(r acquired) string {
			if r.kills > 0 {
				return "-"
			}
			return value(r)
		}
	}
	row("time to answer: median", func(r acquired) string { return round(r.percentile(50)) })
	row("time to answer: 99th percentile", func(r acquired) string { return round(r.percentile(99)) })
	row("time until all calls are answered", func(r acquired) string { return round(r.all) })
	row("servers killed", func(r acquired) string { return fmt.Sprint(r.kills) })
	row("attempts per call", func(r acquired) string { return fmt.Sprintf("%.1f", float64(r.tries)/float64(r.calls)) })
	row("API calls per lease, until the server is idle", unlessKilled(func(r acquired) string {
		return fmt.Sprintf("%.1f (%.1f writes)", r.settled.calls/float64(r.calls), (r.settled.calls-r.settled.reads)/float64(r.calls))
	}))
	row("CPU time per lease, until the server is idle", unlessKilled(func(r acquired) string { return fmt.Sprintf("%.1f ms", 1000*r.settled.cpu/float64(r.calls)) }))
	row("resident memory before the calls", unlessKilled(func(r acquired) string { return fmt.Sprintf("%.0f MiB", r.before/mebi) }))
	row("peak resident memory", unlessKilled(func(r acquired) string { return fmt.Sprintf("%.0f MiB", r.peak/mebi) }))
	row("calls without a lease, or leases without a call", func(acquired) string { return "0" }) // otherwise acquire returns an error
	return markdown(table)
}

// markdown returns a Markdown table after a line that describes the machine.
func markdown(table [][]string) string {
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "One run. etcd, the API server, the controller manager and tms-server share %d cores (%s/%s, %s).\n\n",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	widths := make([]int, len(table[0]))
	for _, cells := range table {
		for i, cell := range cells {
			widths[i] = max(widths[i], len(cell))
		}
	}
	line := func(cells []string) {
		_, _ = fmt.Fprintf(&text, "| %-*s |", widths[0], cells[0])
		for i, cell := range cells[1:] {
			_, _ = fmt.Fprintf(&text, " %*s |", widths[i+1], cell)
		}
		text.WriteString("\n")
	}
	line(table[0])
	text.WriteString("|" + strings.Repeat("-", widths[0]+2) + "|")
	for _, width := range widths[1:] {
		text.WriteString(strings.Repeat("-", width+1) + ":|")
	}
	text.WriteString("\n")
	for _, cells := range table[1:] {
		line(cells)
	}
	return text.String()
}

func medianMaximum(sorted []time.Duration) string {
	return fmt.Sprintf("%s, %s", round(sorted[len(sorted)/2]), round(sorted[len(sorted)-1]))
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

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// write replaces the table between two marks in performance.md.
func write(folder, mark, table string) error {
	beginMark, endMark := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->"
	path := filepath.Join(folder, "performance.md")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		return fmt.Errorf("%s: the marks of the table are missing: %q and %q", path, strings.TrimSpace(beginMark), endMark)
	}
	return os.WriteFile(path, []byte(before+beginMark+table+endMark+after), 0o644)
}
