package main

import (
	"fmt"
	"math"
)

// goals returns a table of the goals of tms-render, with a verdict for each: met or
// missed. It leaves out the goals of fleets that were not measured.
func (medians costs) goals() string {
	rows := [][]string{{"Goal", "measured", ""}}
	add := func(goal string, bound, measured float64, ok bool, format func(float64) string) {
		if !ok {
			return
		}
		verdict := "missed"
		if measured <= bound {
			verdict = "met"
		}
		rows = append(rows, []string{goal, format(measured), verdict})
	}
	ratio := func(goal string, bound float64, figure func(cost) float64, to string, leases int) {
		r, ok := medians.ratio(figure, ours, to, leases)
		add(goal, bound, r, ok, fraction)
	}

	ratio("CPU with one lease at most 0.6 of Helm 3", 0.6, cpu, helm3, 1) // see ADR 35
	ratio("CPU at 1,000 leases at most 1/10 of Helm 3", 1./10, cpu, helm3, 1000)
	ratio("CPU at 10,000 leases at most 1/20 of Helm 3", 1./20, cpu, helm3, 10000)
	ratio("Peak memory at 10,000 leases at most 1/8 of Helm 3", 1./8, peak, helm3, 10000)
	for _, leases := range []int{100, 1000, 10000} {
		ratio("CPU at "+thousands(leases)+" leases less than go-jsonnet", 1, cpu, jsonnetName, leases)
	}
	exponent, ok := medians.exponent()
	add("CPU grows with the number of leases to the power of at most 1.05", 1.05, exponent, ok, func(f float64) string { return fmt.Sprintf("%.2f", f) })
	return markdown(rows)
}

// exponent returns the exponent of the growth of CPU from 10,000 to 100,000 leases: 1 is
// linear.
func (medians costs) exponent() (float64, bool) {
	small, okSmall := medians[ours][10000]
	large, okLarge := medians[ours][100000]
	return math.Log10(cpu(large) / cpu(small)), okSmall && okLarge
}
