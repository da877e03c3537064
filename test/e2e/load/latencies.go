package main

import (
	"slices"
	"time"
)

// latencies are durations of the same operation.
type latencies []time.Duration

func (l latencies) percentile(percent int) time.Duration {
	if len(l) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l))
	return sorted[min(len(l)-1, len(l)*percent/100)]
}

func (l latencies) median() time.Duration { return l.percentile(50) }

func (l latencies) worst() time.Duration { return l.percentile(100) }

// spread returns by how much the slow tenth exceeds the median, as a share of the median.
func (l latencies) spread() float64 {
	if len(l) == 0 {
		return 0
	}
	return l.percentile(90).Seconds()/l.median().Seconds() - 1
}
