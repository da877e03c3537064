package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// The figures of the tables.
func cpu(c cost) float64  { return c.cpu.Seconds() }
func wall(c cost) float64 { return c.wall.Seconds() }
func peak(c cost) float64 { return float64(c.peak) / 1024 }

// report returns the report as Markdown that is also readable in a terminal.
func (medians costs) report(versions string) string {
	return fmt.Sprintf("One run on %d cores (%s/%s, %s): %s.\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), versions) +
		"Each value is a median. The ratio to Helm 3 is in parentheses.\n\n" +
		medians.table("CPU, user and system, in seconds", cpu, "%.3g") + "\n" +
		medians.table("Wall time in seconds", wall, "%.3g") + "\n" +
		medians.table("Peak memory in MiB", peak, "%.0f") + "\n" +
		medians.goals()
}

// table returns a table of one figure: a row for each tool, a column for each fleet.
func (medians costs) table(title string, figure func(cost) float64, format string) string {
	fleets := medians.fleets()
	rows := [][]string{{title}}
	for _, n := range fleets {
		rows[0] = append(rows[0], thousands(n))
	}
	for _, t := range tools {
		row := []string{t.name}
		for _, n := range fleets {
			cell := "-"
			if c, ok := medians[t.name][n]; ok {
				cell = fmt.Sprintf(format, figure(c))
			}
			if r, ok := medians.ratio(figure, t.name, helm3, n); ok && t.name != helm3 {
				cell += " (" + fraction(r) + ")"
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return markdown(rows)
}

// fleets returns the sizes that were measured.
func (medians costs) fleets() []int {
	var fleets []int
	for _, size := range sizes {
		if _, ok := medians[ours][size.leases]; ok {
			fleets = append(fleets, size.leases)
		}
	}
	return fleets
}

// ratio returns the figure of tool divided by that of to, and reports whether both were
// measured.
func (medians costs) ratio(figure func(cost) float64, tool, to string, leases int) (float64, bool) {
	a, okA := medians[tool][leases]
	b, okB := medians[to][leases]
	return figure(a) / figure(b), okA && okB
}

// fraction formats a ratio: 1/12 or 1.5×.
func fraction(r float64) string {
	if r < 0.95 {
		return "1/" + twoDigits(1/r)
	}
	return twoDigits(r) + "×"
}

func twoDigits(f float64) string {
	if f < 9.95 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}

func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// markdown returns a table with aligned columns: the first to the left, the others to the
// right.
func markdown(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var text strings.Builder
	for i, row := range rows {
		for j, cell := range row {
			pad := strings.Repeat(" ", widths[j]-len([]rune(cell)))
			if j == 0 {
				text.WriteString("| " + cell + pad + " |")
			} else {
				text.WriteString(" " + pad + cell + " |")
			}
		}
		text.WriteString("\n")
		if i == 0 {
			text.WriteString("|" + strings.Repeat("-", widths[0]+2) + "|")
			for _, width := range widths[1:] {
				text.WriteString(strings.Repeat("-", width+1) + ":|")
			}
			text.WriteString("\n")
		}
	}
	return text.String()
}

// The comments before and after the report in performance.md.
const (
	begin = "<!-- begin: make bench WRITE=docs -->\n"
	end   = "<!-- end: make bench WRITE=docs -->\n"
)

// write updates the report in performance.md, and the plot, performance.svg.
func (medians costs) write(docs, report string) error {
	path := filepath.Join(docs, "performance.md")
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, okBegin := strings.Cut(string(page), begin)
	_, after, okEnd := strings.Cut(rest, end)
	if !okBegin || !okEnd {
		return fmt.Errorf("%s: the comments before and after the report are missing", path)
	}
	if err := os.WriteFile(path, []byte(before+begin+report+end+after), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(docs, "performance.svg"), []byte(medians.plot()), 0o644)
}
