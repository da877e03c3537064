package simulation

// Case is one run.
type Case struct {
	Traffic Traffic
	System  System
	Model   Model
	Cluster Cluster
	// ReadyAfter is the time from the creation of a pod until it is ready, in seconds.
	ReadyAfter float64
	// Seed determines the arrivals, and the offsets of scrapes and rules in their
	// intervals.
	Seed uint64
}

// Result is what a run measures.
type Result struct {
	Figures
	Waits *Waits
	// Seconds has one item for each second of the run.
	Seconds []Second
}

// Second is one second of a run, and the state at its end.
type Second struct {
	// Requests is the number of requests that arrived.
	Requests int
	// Replicas is the number of replicas that the HPA wants, Ready the number of them that
	// are ready.
	Replicas, Ready int
	// Begun is the number of requests that began, Waited the sum of their waits in seconds.
	Begun  int
	Waited float64
}
