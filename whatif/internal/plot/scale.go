package plot

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// scale maps values to positions from 0 to 1.
type scale struct {
	log       bool
	low, high float64
	ticks     []float64
}

// lowest is the lowest value of a logarithmic scale.
const lowest = 1e-3

func (p Panel) scale() scale {
	highest := 0.0
	for _, line := range p.Lines {
		for _, value := range line.Values {
			if !math.IsNaN(value) {
				highest = max(highest, value)
			}
		}
	}
	if p.Log {
		s := scale{log: true, low: lowest, high: 10 * lowest}
		for s.high < highest {
			s.high *= 10
		}
		for tick := s.low; tick <= s.high*1.01; tick *= 10 {
			s.ticks = append(s.ticks, tick)
		}
		return s
	}
	step := niceStep(max(highest, 1) / 4)
	s := scale{high: step * math.Ceil(max(highest, 1)/step)}
	for i := 0.0; i*step <= s.high; i++ {
		s.ticks = append(s.ticks, i*step)
	}
	return s
}

// position returns the position of a value. Values beyond the scale are at its ends.
func (s scale) position(value float64) float64 {
	p := (value - s.low) / (s.high - s.low)
	if s.log {
		p = math.Log(max(value, s.low)/s.low) / math.Log(s.high/s.low)
	}
	return min(max(p, 0), 1)
}

func (s scale) label(tick float64) string {
	if s.log {
		return time.Duration(math.Round(tick*1e3) * 1e6).String()
	}
	return fmt.Sprintf("%.6g", tick)
}

// niceStep returns the lowest of 1, 2, 5, 10, 20, ... that is at least the given one.
func niceStep(least float64) float64 {
	for power := 1.0; ; power *= 10 {
		for _, digit := range []float64{1, 2, 5} {
			if digit*power >= least {
				return digit * power
			}
		}
	}
}

func xOf(at, seconds float64) float64 { return left + (width-left-right)*at/seconds }

// timeTicks returns at most ten round times in seconds.
func timeTicks(seconds float64) []float64 {
	step := 0.0
	for _, s := range []float64{1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600} {
		if step = s; seconds/step <= 10 {
			break
		}
	}
	for seconds/step > 10 {
		step *= 2
	}
	var ticks []float64
	for i := 0.0; i*step <= seconds; i++ {
		ticks = append(ticks, i*step)
	}
	return ticks
}

// xAxis draws the labels of the time.
func xAxis(w *strings.Builder, top, seconds float64) {
	for _, at := range timeTicks(seconds) {
		fmt.Fprintf(w, `<text x="%.1f" y="%g" text-anchor="middle">%s</text>`+"\n", xOf(at, seconds), top+18, clock(at))
	}
	fmt.Fprintf(w, `<text x="%g" y="%g" text-anchor="end">time</text>`+"\n", width-right, top+34)
}

// clock formats a time, such as 1h30m, without units that are 0.
func clock(seconds float64) string {
	text := (time.Duration(seconds) * time.Second).String()
	for _, zero := range []struct{ suffix, without string }{{"m0s", "m"}, {"h0m", "h"}} {
		if strings.HasSuffix(text, zero.suffix) {
			text = strings.TrimSuffix(text, zero.suffix) + zero.without
		}
	}
	return text
}
