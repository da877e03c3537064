package hpasim

// Figures are what a run cost.
type Figures struct {
	// OverThreshold is in request-seconds: the integral over time of the number
	// of requests that wait in a queue and have waited longer than the
	// threshold. A request that waits w seconds adds max(0, w - threshold).
	// Those that still wait at the end count until the end. A request whose pod
	// ended under it waits since it was first sent.
	OverThreshold float64
	// ReplicaSeconds is the integral over time of the number of pods that
	// exist, whether they start, serve or drain: what is paid for.
	ReplicaSeconds float64
	// DirectionChanges counts the changes of scale whose predecessor went the other way.
	DirectionChanges float64
}

// mean is the mean of several runs.
func mean(runs []Figures) (m Figures) {
	n := float64(len(runs))
	for _, r := range runs {
		m.OverThreshold += r.OverThreshold / n
		m.ReplicaSeconds += r.ReplicaSeconds / n
		m.DirectionChanges += r.DirectionChanges / n
	}
	return m
}
