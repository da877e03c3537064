package record

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The plot has three strips that share the time axis.
const (
	width, strip, gap   = 900.0, 130.0, 36.0
	left, right, header = 90.0, 20.0, 50.0
)

// series is one line of a strip.
type series struct {
	name, color, dash string
	value             func(Point) float64
}

// plot returns the points as an SVG.
func (r *Recording) plot(points []Point) string {
	end := 1.0
	for _, p := range points {
		end = math.Max(end, p.Seconds)
	}
	strips := []struct {
		unit  string
		lines []series
	}{
		{"requests/s", []series{{"load", "#555", "", func(p Point) float64 { return p.Load }}}},
		{"replicas", []series{
			{"wanted", "#1f77b4", "", func(p Point) float64 { return float64(p.Replicas) }},
			{"ready", "#2ca02c", "5 3", func(p Point) float64 { return float64(p.Ready) }},
		}},
		{r.Metric, []series{
			{"mean over pods", "#d62728", "", func(p Point) float64 { return p.Value }},
			{"threshold", "#ff7f0e", "6 4", func(Point) float64 { return r.Threshold }},
		}},
	}
	var s strings.Builder
	height := header + float64(len(strips))*(strip+gap)
	_, _ = fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12">`+"\n", width, height+14)
	_, _ = fmt.Fprintf(&s, `<rect width="100%%" height="100%%" fill="white"/><text x="%g" y="24" font-size="16">%s</text>`+"\n", left, html.EscapeString(r.Title))
	for i, part := range strips {
		top := header + float64(i)*(strip+gap)
		highest := 1.0
		for _, line := range part.lines {
			for _, p := range points {
				highest = math.Max(highest, line.value(p))
			}
		}
		frame(&s, top, highest, end, part.unit)
		for n, line := range part.lines {
			draw(&s, points, line, top, highest, end)
			x := width - right - 160*float64(len(part.lines)-n)
			_, _ = fmt.Fprintf(&s, `<line x1="%g" y1="%g" x2="%g" y2="%g" stroke="%s" stroke-width="2" stroke-dasharray="%s"/><text x="%g" y="%g">%s</text>`+"\n",
				x, top-8, x+20, top-8, line.color, line.dash, x+25, top-4, line.name)
		}
	}
	s.WriteString("</svg>\n")
	return s.String()
}

// frame draws the axes of a strip.
func frame(s *strings.Builder, top, highest, end float64, unit string) {
	_, _ = fmt.Fprintf(s, `<text x="%g" y="%g" font-weight="bold">%s</text>`+"\n", left, top-4, html.EscapeString(unit))
	_, _ = fmt.Fprintf(s, `<rect x="%g" y="%g" width="%g" height="%g" fill="none" stroke="#999"/>`+"\n", left, top, width-left-right, strip)
	for _, part := range []float64{0, 0.5, 1} {
		y := top + strip*(1-part)
		_, _ = fmt.Fprintf(s, `<text x="%g" y="%g" text-anchor="end">%s</text><line x1="%g" y1="%g" x2="%g" y2="%g" stroke="#eee"/>`+"\n",
			left-6, y+4, short(highest*part), left, y, width-right, y)
	}
	for t := 0.0; t <= end; t += step(end) {
		x := left + (width-left-right)*t/end
		_, _ = fmt.Fprintf(s, `<line x1="%g" y1="%g" x2="%g" y2="%g" stroke="#eee"/><text x="%g" y="%g" text-anchor="middle">%g s</text>`+"\n",
			x, top, x, top+strip, x, top+strip+14, t)
	}
}

// draw draws a line in steps, because the values change in steps.
func draw(s *strings.Builder, points []Point, line series, top, highest, end float64) {
	var path strings.Builder
	known, last := false, 0.0
	for _, p := range points {
		v := line.value(p)
		if v < 0 {
			known = false
			continue
		}
		x, y := left+(width-left-right)*p.Seconds/end, top+strip*(1-v/highest)
		if known {
			_, _ = fmt.Fprintf(&path, "L%.1f %.1f L%.1f %.1f ", x, last, x, y)
		} else {
			_, _ = fmt.Fprintf(&path, "M%.1f %.1f ", x, y)
		}
		known, last = true, y
	}
	_, _ = fmt.Fprintf(s, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`+"\n", path.String(), line.color, line.dash)
}

// step returns the distance between two ticks of the time axis.
func step(end float64) float64 {
	for _, s := range []float64{1, 5, 10, 20, 30, 60, 120, 300, 600} {
		if end/s <= 10 {
			return s
		}
	}
	return 3600
}

// short formats a number with a suffix, like kubectl.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.4g", v)
}
