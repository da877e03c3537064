package grafana

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"
)

// Picture is what a dashboard shows at one time.
type Picture struct {
	Title      string
	Start, End time.Time
	// Step is the distance of two points.
	Step   time.Duration
	Frames []Frame
}

// Frame is what a panel shows.
type Frame struct {
	Panel  Panel
	Series []Series
	// Events are the times of the annotations.
	Events []Event
	// gap is the distance of two points that have no line between them.
	gap time.Duration
}

// Series is a line, or a number if it has one point.
type Series struct {
	Name   string
	Points []Point
}

// Known returns the points that have a value. A quantile of no observations is NaN.
func (s Series) Known() []Point {
	return slices.DeleteFunc(slices.Clone(s.Points), func(p Point) bool { return math.IsNaN(p.Value) || math.IsInf(p.Value, 0) })
}

// Point is a sample.
type Point struct {
	Time  time.Time
	Value float64
}

// Event is an annotation.
type Event struct {
	Time  time.Time
	Color string
}

// The size of a cell of Grafana's grid, in pixels.
const (
	cellWidth, cellHeight = 50.0, 22.0
	heading               = 34.0
	legendEntries         = 4
)

var colors = []string{"#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#e377c2", "#7f7f7f"}

// SVG draws the picture.
func (p Picture) SVG() string {
	bottom := 0.0
	for _, f := range p.Frames {
		bottom = math.Max(bottom, f.Panel.GridPos.Y+f.Panel.GridPos.H)
	}
	var s strings.Builder
	_, _ = fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="11">`+"\n", 24*cellWidth, heading+bottom*cellHeight)
	_, _ = fmt.Fprintf(&s, `<rect width="100%%" height="100%%" fill="white"/><text x="8" y="22" font-size="16">%s</text>`+"\n", html.EscapeString(p.Title))
	for _, f := range p.Frames {
		f.gap = p.Step * 3 / 2
		f.draw(&s, p.Start, p.End)
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func (f Frame) draw(s *strings.Builder, start, end time.Time) {
	g := f.Panel.GridPos
	x, y, w, h := g.X*cellWidth, heading+g.Y*cellHeight, g.W*cellWidth, g.H*cellHeight
	if f.Panel.Type == "row" {
		_, _ = fmt.Fprintf(s, `<text x="%g" y="%g" font-size="14" font-weight="bold">%s</text>`+"\n", x+8, y+16, html.EscapeString(f.Panel.Title))
		return
	}
	_, _ = fmt.Fprintf(s, `<rect x="%g" y="%g" width="%g" height="%g" fill="none" stroke="#ccc"/><text x="%g" y="%g" font-weight="bold">%s</text>`+"\n",
		x+3, y+3, w-6, h-6, x+10, y+18, html.EscapeString(f.Panel.Title))
	unit := f.Panel.FieldConfig.Defaults.Unit
	if f.Panel.Type == "stat" {
		f.drawNumber(s, x+w/2, y+h/2+14, unit)
		return
	}
	left, top, width, height := x+62, y+30, w-78, h-74
	highest := 0.0
	for _, series := range f.Series {
		for _, p := range series.Known() {
			highest = math.Max(highest, p.Value)
		}
	}
	if highest == 0 {
		highest = 1
	}
	for _, part := range []float64{0, 0.5, 1} {
		at := top + height*(1-part)
		_, _ = fmt.Fprintf(s, `<line x1="%.0f" y1="%.1f" x2="%.0f" y2="%.1f" stroke="#e4e4e4"/><text x="%.0f" y="%.1f" text-anchor="end" fill="#555">%s</text>`+"\n",
			left, at, left+width, at, left-5, at+4, format(highest*part, unit))
	}
	across := func(t time.Time) float64 { return left + width*t.Sub(start).Seconds()/end.Sub(start).Seconds() }
	for _, e := range f.Events {
		_, _ = fmt.Fprintf(s, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="2 3"/>`+"\n", across(e.Time), top, across(e.Time), top+height, e.Color)
	}
	if len(f.Series) == 0 {
		_, _ = fmt.Fprintf(s, `<text x="%.0f" y="%.0f" text-anchor="middle" fill="#999">No data</text>`+"\n", left+width/2, top+height/2)
	}
	for i, series := range f.Series {
		var path strings.Builder
		points := series.Known()
		for n, p := range points {
			// A gap in the samples is a gap in the line.
			command := "L"
			if n == 0 || p.Time.Sub(points[n-1].Time) > f.gap {
				command = "M"
			}
			_, _ = fmt.Fprintf(&path, "%s%.0f %.1f", command, across(p.Time), top+height*(1-p.Value/highest))
		}
		dash := ""
		if slices.ContainsFunc([]string{"minimum", "maximum", "threshold", "budget", "limit"}, func(word string) bool { return strings.HasPrefix(series.Name, word) }) {
			dash = ` stroke-dasharray="6 4"`
		}
		color := colors[i%len(colors)]
		_, _ = fmt.Fprintf(s, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"%s/>`+"\n", path.String(), color, dash)
		if i < legendEntries {
			at := left + float64(i)*width/legendEntries
			_, _ = fmt.Fprintf(s, `<rect x="%.0f" y="%.0f" width="10" height="3" fill="%s"/><text x="%.0f" y="%.0f" font-size="10">%s</text>`+"\n",
				at, y+h-22, color, at+13, y+h-18, html.EscapeString(shorten(series.Name, int(width/legendEntries/7))))
		}
	}
	_, _ = fmt.Fprintf(s, `<text x="%.0f" y="%.0f" font-size="10" fill="#555">0 s</text><text x="%.0f" y="%.0f" font-size="10" text-anchor="end" fill="#555">%.0f s</text>`+"\n",
		left, top+height+11, left+width, top+height+11, end.Sub(start).Seconds())
}

// drawNumber draws the last values of the series of a stat.
func (f Frame) drawNumber(s *strings.Builder, x, y float64, unit string) {
	text := "No data"
	if len(f.Series) > 0 {
		// A series with a name shows the name, as that of the leader.
		text = f.Series[0].Name
		if points := f.Series[0].Points; text == "" && len(points) > 0 {
			text = format(points[len(points)-1].Value, unit)
		}
	}
	_, _ = fmt.Fprintf(s, `<text x="%.0f" y="%.0f" font-size="18" text-anchor="middle">%s</text>`+"\n", x, y, html.EscapeString(text))
}

// format returns a number with a unit of Grafana.
func format(v float64, unit string) string {
	scaled := func(names ...string) string {
		i := 0
		for math.Abs(v) >= 1000 && i < len(names)-1 {
			v, i = v/1000, i+1
		}
		return fmt.Sprintf("%.3g%s", v, names[i])
	}
	switch unit {
	case "percent":
		return fmt.Sprintf("%.3g%%", v)
	case "µs":
		return scaled(" µs", " ms", " s")
	case "s":
		if v != 0 && math.Abs(v) < 1 {
			return fmt.Sprintf("%.3g ms", v*1000)
		}
		return fmt.Sprintf("%.3g s", v)
	case "bytes":
		return fmt.Sprintf("%.4g MiB", v/(1<<20))
	case "reqps", "ops", "cps":
		return scaled("/s", "k/s", "M/s")
	}
	return scaled("", "k", "M")
}

// shorten cuts a text in the middle, because names of pods differ at the end.
func shorten(text string, length int) string {
	letters := []rune(text)
	if len(letters) <= length || length < 8 {
		return text
	}
	half := (length - 1) / 2
	return string(letters[:half]) + "…" + string(letters[len(letters)-half:])
}
