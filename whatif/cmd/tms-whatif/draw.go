package main

import (
	"fmt"
	"math"

	"github.com/triton-leases/tms/whatif/internal/plot"
	"github.com/triton-leases/tms/whatif/internal/simulation"
)

// mostPoints is the number of points of a line.
const mostPoints = 400

// draw returns an SVG with the load, the replicas and the waiting of all outcomes.
func draw(outcomes []*outcome) string {
	seconds := outcomes[0].Seconds
	load := plot.Panel{Title: "load, in requests per second", Lines: []plot.Line{{
		Color: loadColor, Values: buckets(seconds, func(part []simulation.Second) float64 {
			sum := 0
			for _, second := range part {
				sum += second.Requests
			}
			return float64(sum) / float64(len(part))
		}),
	}}}
	replicas := plot.Panel{Title: "replicas that the HPA wants"}
	waiting := plot.Panel{Title: "waiting: mean of the requests that begin, and the threshold (dashed)", Log: true}
	thresholds := map[float64]bool{}
	for i, one := range outcomes {
		replicas.Lines = append(replicas.Lines, plot.Line{
			Name: one.String(), Color: i, Steps: true,
			Values: buckets(one.Seconds, func(part []simulation.Second) float64 { return float64(part[len(part)-1].Replicas) }),
		})
		waiting.Lines = append(waiting.Lines, plot.Line{Color: i, Values: buckets(one.Seconds, meanWait)})
		if threshold, ok := one.Threshold(); ok && !thresholds[threshold] {
			thresholds[threshold] = true
			waiting.Lines = append(waiting.Lines, plot.Line{Color: i, Dashed: true, Values: []float64{threshold}})
		}
	}
	title := fmt.Sprintf("load, replicas and waiting of %s", outcomes[0].Name)
	return plot.SVG(title, float64(len(seconds)), []plot.Panel{load, replicas, waiting})
}

// loadColor is the grey of the palette.
const loadColor = 6

// meanWait returns the mean wait of the requests that began, or NaN if none did.
func meanWait(part []simulation.Second) float64 {
	begun, waited := 0, 0.0
	for _, second := range part {
		begun += second.Begun
		waited += second.Waited
	}
	if begun == 0 {
		return math.NaN()
	}
	return waited / float64(begun)
}

// buckets returns a value for each of at most mostPoints parts of a run.
func buckets(seconds []simulation.Second, value func([]simulation.Second) float64) []float64 {
	n := min(len(seconds), mostPoints)
	values := make([]float64, n)
	for i := range values {
		values[i] = value(seconds[i*len(seconds)/n : (i+1)*len(seconds)/n])
	}
	return values
}
