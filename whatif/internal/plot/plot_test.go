package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSVG checks that the SVG is well-formed, escapes names, and draws gaps and references.
func TestSVG(t *testing.T) {
	svg := SVG("a < b", 7200, []Panel{
		{Title: "load & more", Lines: []Line{{Values: []float64{1, 130, 7}}}},
		{Title: "replicas", Lines: []Line{{Name: `maximum="<4>"`, Steps: true, Values: []float64{1, 4, 4, 1}}, {Name: "other", Color: 9, Values: []float64{0}}}},
		{Title: "waiting", Log: true, Lines: []Line{{Values: []float64{1e-9, 250, math.NaN(), 0.1, 0.2}}, {Dashed: true, Values: []float64{0.05}}}},
	})
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.NotContains(t, svg, "NaN")
	require.Contains(t, svg, "prefers-color-scheme: dark")
	for _, label := range []string{"a &lt; b", "load &amp; more", "maximum=&#34;&lt;4&gt;&#34;", ">150<", ">10s<", ">1ms<", ">1h30m<", ">2h<"} {
		require.Contains(t, svg, label)
	}
	require.Equal(t, 1, strings.Count(svg, "stroke-dasharray"), "the reference is dashed")
}

// TestPath checks the lines in pixels: the top is at 0, and the lowest value at 150.
func TestPath(t *testing.T) {
	s := scale{high: 10}
	require.Equal(t, "M70.0 150.0L270.0 75.0L470.0 0.0L670.0 150.0", Line{Values: []float64{0, 5, 10, 0}}.path(s, 0))
	require.Equal(t, "M70.0 150.0H470.0L470.0 75.0H870", Line{Values: []float64{0, 5}, Steps: true}.path(s, 0))
	require.Equal(t, "M70.0 75.0H870", Line{Values: []float64{5}, Dashed: true}.path(s, 0))
	require.Equal(t, "M70.0 150.0M470.0 75.0L670.0 75.0", Line{Values: []float64{0, math.NaN(), 5, 5}}.path(s, 0), "a gap")
}

func TestScale(t *testing.T) {
	linear := Panel{Lines: []Line{{Values: []float64{0, 130}}}}.scale()
	require.Equal(t, []float64{0, 50, 100, 150}, linear.ticks)
	require.Equal(t, 0.5, linear.position(75))
	require.Equal(t, 1.0, linear.position(1000))
	require.Equal(t, []float64{0, 1}, Panel{}.scale().ticks, "no values")

	log := Panel{Log: true, Lines: []Line{{Values: []float64{0.02, math.NaN()}}}}.scale()
	require.InDeltaSlice(t, []float64{0.001, 0.01, 0.1}, log.ticks, 1e-9)
	require.InDelta(t, 0.5, log.position(0.01), 1e-9)
	require.Zero(t, log.position(0))
	require.Equal(t, "10ms", log.label(0.01))
}

func TestTimeTicks(t *testing.T) {
	require.Equal(t, []float64{0, 1, 2, 3}, timeTicks(3))
	require.Len(t, timeTicks(24*3600), 9)
	require.LessOrEqual(t, len(timeTicks(365*24*3600)), 11)
	for seconds, want := range map[float64]string{0: "0s", 90: "1m30s", 120: "2m", 3600: "1h", 5400: "1h30m", 86400: "24h"} {
		require.Equal(t, want, clock(seconds))
	}
}
