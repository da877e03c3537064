package main

import (
	"fmt"

	"github.com/triton-leases/tms/test/e2e/table"
)

// reportCosts returns a Markdown table of the costs of Prometheus.
func reportCosts(costs [][]cost) string {
	if len(costs) == 0 {
		return ""
	}
	rows := [][]string{{"Leases", "Namespaces", "Monitors", "CPU", "Resident memory", "Rule evaluation", "Samples per second", "Series", "Scrape jobs", "Rules"}}
	for _, all := range costs {
		for i, c := range all {
			row := func(format string, scale float64, value func(cost) float64) string {
				text := fmt.Sprintf(format, value(c)*scale)
				if i > 0 {
					text += " (" + ratio(value(c)/value(all[0])) + ")"
				}
				return text
			}
			rows = append(rows, []string{
				table.Thousands(c.fleet.leases), fmt.Sprint(c.fleet.namespaces), c.form.name,
				row("%.3f cores", 1, func(c cost) float64 { return c.cpu }),
				row("%.0f MiB", 1./(1<<20), func(c cost) float64 { return c.resident }),
				row("%.2f s/min", 60, func(c cost) float64 { return c.evaluating }),
				fmt.Sprintf("%.0f", c.samples), fmt.Sprintf("%.0f", c.series), fmt.Sprintf("%.0f", c.jobs), fmt.Sprintf("%.0f", c.rules),
			})
		}
	}
	return "One run. Prometheus, the API server and the other components share " + table.Machine() + ".\n\n" + table.Markdown(rows, 3)
}

func ratio(r float64) string {
	switch {
	case r < 0.1:
		return fmt.Sprintf("1/%.0f", 1/r)
	case r < 0.95:
		return fmt.Sprintf("1/%.1f", 1/r)
	}
	return fmt.Sprintf("%.1f×", r)
}

// reportSyncs returns a Markdown table of the syncs of HorizontalPodAutoscalers. A setting
// that falls behind was not measured with more of them.
func reportSyncs(all []syncs) string {
	if len(all) == 0 {
		return ""
	}
	rows := [][]string{{"Seconds between two syncs"}}
	var sizes []int
	for _, s := range all {
		if len(sizes) == 0 || sizes[len(sizes)-1] != s.autoscalers {
			sizes = append(sizes, s.autoscalers)
			rows[0] = append(rows[0], table.Thousands(s.autoscalers))
		}
	}
	calls, n := 0.0, 0.0
	for _, setting := range settings {
		row := []string{setting.name}
		for _, size := range sizes {
			cell := "-"
			for _, s := range all {
				if s.setting.name == setting.name && s.autoscalers == size {
					cell = fmt.Sprintf("%.1f", s.period)
					calls, n = calls+s.calls, n+1
				}
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return fmt.Sprintf("One run on %s. A sync makes %.1f API calls. A dash: the setting already fell behind with fewer.\n\n", table.Machine(), calls/n) + table.Markdown(rows, 1)
}
