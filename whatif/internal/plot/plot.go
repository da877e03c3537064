// Package plot draws values over time as an SVG with several panels. It is readable on a light
// and on a dark background.
package plot

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Line is a line of a panel.
type Line struct {
	Name string
	// Color is an index of the palette. Lines of the same alternative have the same one.
	Color int
	// Values are at equal distances, from the begin to the end of the time. NaN: there is no
	// value.
	Values []float64
	// Steps means that a value holds until the next one. Dashed lines are references.
	Steps, Dashed bool
}

// Panel is a panel with its own scale of values.
type Panel struct {
	// Title has the unit of the values.
	Title string
	// Log means a logarithmic scale from 1 ms, with labels of durations.
	Log   bool
	Lines []Line
}

// The layout in pixels.
const (
	width, height       = 900.0, 150.0 // of a panel
	left, right, header = 70.0, 30.0, 34.0
	legendLine          = 18.0
	timeAxis            = 40.0
	charWidth           = 7.0
)

// palette has colours that differ for colour-blind readers, and on both backgrounds.
var palette = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7f7f7f", "#8c564b"}

const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.ground { fill: #ffffff }
.grid { stroke: #d1d9e0 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .ground { fill: #0d1117 }
  .grid { stroke: #3d444d }
}
</style>
`

// SVG draws the panels, one below the other. The time is in seconds. The legend has the
// names of the lines that are not empty, once.
func SVG(title string, seconds float64, panels []Panel) string {
	var body strings.Builder
	top := legend(&body, panels)
	for _, panel := range panels {
		top += header
		panel.draw(&body, top, seconds)
		top += height
	}
	xAxis(&body, top, seconds)
	total := top + timeAxis
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-labelledby="title">
<title id="title">%s</title>
%s<rect class="ground" width="%g" height="%g" rx="6"/>
%s</svg>
`, width, total, html.EscapeString(title), style, width, total, body.String())
}

// legend draws the names of the lines, and returns the height that it needs.
func legend(w *strings.Builder, panels []Panel) float64 {
	known := map[string]bool{}
	x, y := left, legendLine+6
	for _, panel := range panels {
		for _, line := range panel.Lines {
			if line.Name == "" || known[line.Name] {
				continue
			}
			known[line.Name] = true
			need := 34 + charWidth*float64(len(line.Name))
			if x > left && x+need > width-right {
				x, y = left, y+legendLine
			}
			fmt.Fprintf(w, `<path class="line" stroke="%s"%s d="M%g %gh22"/><text x="%g" y="%g">%s</text>`+"\n",
				line.color(), line.dash(), x, y-4, x+28, y, html.EscapeString(line.Name))
			x += need + 12
		}
	}
	return y
}

func (l Line) color() string { return palette[l.Color%len(palette)] }

func (l Line) dash() string {
	if l.Dashed {
		return ` stroke-dasharray="6 4"`
	}
	return ""
}

func (p Panel) draw(w *strings.Builder, top, seconds float64) {
	fmt.Fprintf(w, `<text class="title" x="%g" y="%g">%s</text>`+"\n", left, top-8, html.EscapeString(p.Title))
	s := p.scale()
	for _, tick := range s.ticks {
		y := top + height*(1-s.position(tick))
		fmt.Fprintf(w, `<path class="grid" d="M%g %.1fH%g"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`+"\n", left, y, width-right, left-8, y+4, s.label(tick))
	}
	for _, at := range timeTicks(seconds) {
		fmt.Fprintf(w, `<path class="grid" d="M%.1f %gv%g"/>`+"\n", xOf(at, seconds), top, height)
	}
	for _, line := range slices.Backward(p.Lines) { // the first one on top
		if path := line.path(s, top); path != "" {
			fmt.Fprintf(w, `<path class="line" stroke="%s"%s d="%s"/>`+"\n", line.color(), line.dash(), path)
		}
	}
}

// path returns the path of a line, without a part for values that are NaN.
func (l Line) path(s scale, top float64) string {
	var path strings.Builder
	pen := 'M'
	for i, value := range l.Values {
		if math.IsNaN(value) {
			pen = 'M'
			continue
		}
		x := left + (width-left-right)*float64(i)/float64(len(l.Values))
		if l.Steps && pen == 'L' {
			fmt.Fprintf(&path, "H%.1f", x)
		}
		fmt.Fprintf(&path, "%c%.1f %.1f", pen, x, top+height*(1-s.position(value)))
		pen = 'L'
	}
	if pen == 'L' && (l.Steps || l.Dashed) {
		fmt.Fprintf(&path, "H%g", width-right)
	}
	return path.String()
}
