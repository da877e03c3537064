package main

import (
	"fmt"
	"math"
)

// goals are what tms-render is held to, and whether it is there. A goal on a
// fleet that was not measured is left out.
func (took costs) goals() string {
	rows := [][]string{{"Goal", "measured", ""}}
	add := func(goal string, bound, measured float64, ok bool, format func(float64) string) {
		if !ok {
			return
		}
		verdict := "not reached"
		if measured <= bound {
			verdict = "reached"
		}
		rows = append(rows, []string{goal, format(measured), verdict})
	}
	share := func(goal string, bound float64, figure func(cost) float64, to string, leases int) {
		r, ok := took.ratio(figure, ours, to, leases)
		add(goal, bound, r, ok, fraction)
	}

	share("CPU at 10,000 leases at most 1/50 of Helm 3", 1./50, cpu, helm3, 10000)
	share("CPU at 10,000 leases at most 1/100 of Helm 3", 1./100, cpu, helm3, 10000)
	share("CPU at 100,000 leases at most 20 times that of cat", 20, cpu, cat, 100000)
	exponent, ok := took.exponent()
	add("CPU grows with the number of leases to the power of at most 1.05", 1.05, exponent, ok, func(f float64) string { return fmt.Sprintf("%.2f", f) })
	share("Peak memory at 10,000 leases at most 1/10 of Helm 3", 1./10, peak, helm3, 10000)
	share("Wall time with one lease at most 0.4 of Helm 3", 0.4, wall, helm3, 1)
	share("Wall time at 100,000 leases less than on one core", 1, wall, oneCore, 100000)
	return markdown(rows)
}

// exponent of the growth of CPU from 10,000 to 100,000 leases: 1 is linear.
func (took costs) exponent() (float64, bool) {
	small, okSmall := took[ours][10000]
	large, okLarge := took[ours][100000]
	return math.Log10(cpu(large) / cpu(small)), okSmall && okLarge
}
