package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The layout of the plot, in pixels. There is no plotting library, because this one plot
// needs less code than a dependency.
const (
	width, height            = 800, 480
	left, right, top, bottom = 70, 175, 30, 60
	lineHeight               = 17
)

// style sets its own background, because a page may be dark while the system is light.
const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.ground { fill: #ffffff }
.grid { stroke: #d1d9e0 }
.line { fill: none; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .ground { fill: #0d1117 }
  .grid { stroke: #3d444d }
}
</style>
`

// strokes are the stroke attributes of the tools, in the order of tools. Each color has a
// contrast ratio of 3 on both backgrounds.
var strokes = []string{
	`stroke="#2f81f7"`,
	`stroke="#2f81f7" stroke-dasharray="6 4"`,
	`stroke="#e5534b"`,
	`stroke="#d4731c"`,
	`stroke="#a371f7"`,
	`stroke="#848d97"`,
}

// line is the line of one tool, with a label at its end.
type line struct {
	name, stroke string
	points       []string
	x, y         float64 // of the last point
	label        float64 // y
}

// plot returns an SVG of CPU time over the number of leases, with logarithmic axes.
func (medians costs) plot() string {
	least, most := medians.decades()
	decades := math.Log10(float64(sizes[len(sizes)-1].leases))
	x := func(leases int) float64 {
		return left + (width-left-right)*math.Log10(float64(leases))/decades
	}
	y := func(seconds float64) float64 {
		return height - bottom - (height-top-bottom)*(math.Log10(seconds)-least)/(most-least)
	}

	var svg strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&svg, format+"\n", args...) }
	p(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`, width, height)
	p(`<title id="title">CPU seconds over the number of leases, for each tool</title>`)
	svg.WriteString(style)
	p(`<rect class="ground" width="%d" height="%d" rx="6"/>`, width, height)
	for _, size := range sizes {
		at := x(size.leases)
		p(`<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, at, at, top, height-bottom)
		p(`<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, at, height-bottom+20, thousands(size.leases))
	}
	for decade := least; decade <= most; decade++ {
		at := y(math.Pow(10, decade))
		p(`<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, at, at)
		p(`<text x="%d" y="%.1f" text-anchor="end">%g</text>`, left-8, at+4, math.Pow(10, decade))
	}
	p(`<text x="%d" y="%d" text-anchor="middle">leases</text>`, (left+width-right)/2, height-16)
	p(`<text transform="translate(18 %d) rotate(-90)" text-anchor="middle">CPU, in seconds</text>`, (top+height-bottom)/2)
	for _, l := range medians.lines(x, y) {
		p(`<polyline class="line" points="%s" %s/>`, strings.Join(l.points, " "), l.stroke)
		p(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`, l.x, l.y, l.x+12, l.label, l.stroke)
		p(`<text x="%.1f" y="%.1f">%s</text>`, l.x+16, l.label+4, l.name)
	}
	p(`</svg>`)
	return svg.String()
}

// decades returns the exponents of the powers of ten between which all CPU times lie.
func (medians costs) decades() (least, most float64) {
	least, most = math.Inf(1), math.Inf(-1)
	for _, each := range medians {
		for _, c := range each {
			power := math.Log10(cpu(c))
			least, most = min(least, math.Floor(power)), max(most, math.Ceil(power))
		}
	}
	return least, most
}

// lines returns the lines of the tools, sorted by their ends from the bottom to the top of
// the plot. Their labels do not overlap.
func (medians costs) lines(x func(int) float64, y func(float64) float64) []line {
	var lines []line
	for i, t := range tools {
		l := line{name: t.name, stroke: strokes[i]}
		for _, n := range medians.fleets() {
			if c, ok := medians[t.name][n]; ok {
				l.x, l.y = x(n), y(cpu(c))
				l.points = append(l.points, fmt.Sprintf("%.1f,%.1f", l.x, l.y))
			}
		}
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b line) int { return int(math.Copysign(1, b.y-a.y)) })
	for i := range lines {
		lines[i].label = lines[i].y
		for _, below := range lines[:i] {
			if below.x == lines[i].x {
				lines[i].label = min(lines[i].label, below.label-lineHeight)
			}
		}
	}
	return lines
}
