// Package loadfile reads a recorded load: a CSV file, or the result of a range query to
// Prometheus.
package loadfile

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/triton-leases/tms/whatif/internal/simulation"
)

// Read returns the load in a file. Its first point is at the second 0 of the traffic. The
// rate of a point holds until the next one; the last point lasts as long as the one before
// it. length, if not 0, is the length of the traffic in seconds instead. The error joins all
// faults of the file.
func Read(text []byte, length float64) (simulation.Traffic, error) {
	parse := parseCSV
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && (trimmed[0] == '[' || trimmed[0] == '{') {
		parse = parseJSON
	}
	points, err := parse(text)
	if err != nil {
		return simulation.Traffic{}, err
	}
	if err := check(points); err != nil {
		return simulation.Traffic{}, err
	}
	if length == 0 {
		if len(points) < 2 {
			return simulation.Traffic{}, errors.New("has one point: give its length with --length")
		}
		last, before := points[len(points)-1], points[len(points)-2]
		length = last.at - points[0].at + last.at - before.at
	}
	return simulation.Traffic{Name: "recorded", Length: length, Rate: rate(points)}, nil
}

// point is a rate in requests per second from a time on, in seconds.
type point struct {
	// source is the line or the index of the point, for messages.
	source   string
	at, rate float64
}

// check returns all faults of the points.
func check(points []point) error {
	if len(points) == 0 {
		return errors.New("has no points")
	}
	var faults []error
	for i, p := range points {
		if i > 0 && p.at <= points[i-1].at {
			faults = append(faults, fmt.Errorf("%s: the time must be later than that of the point before it", p.source))
		}
		if math.IsNaN(p.at) || math.IsInf(p.at, 0) {
			faults = append(faults, fmt.Errorf("%s: the time %v must be a number", p.source, p.at))
		}
		if math.IsNaN(p.rate) || math.IsInf(p.rate, 0) || p.rate < 0 {
			faults = append(faults, fmt.Errorf("%s: the rate %v must be a number of at least 0", p.source, p.rate))
		}
	}
	return errors.Join(faults...)
}

// rate returns the rate at a second after the first point.
func rate(points []point) func(float64) float64 {
	return func(second float64) float64 {
		at := points[0].at + second
		next, exact := slices.BinarySearchFunc(points, at, func(p point, at float64) int {
			switch {
			case p.at < at:
				return -1
			case p.at > at:
				return 1
			}
			return 0
		})
		if !exact {
			next--
		}
		return points[max(next, 0)].rate
	}
}
