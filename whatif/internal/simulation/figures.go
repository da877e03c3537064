package simulation

// Figures is the cost of a run.
type Figures struct {
	// OverThreshold is in request-seconds: the integral over time of the number
	// of requests that wait in a queue and have waited longer than the
	// threshold. A request that waits w seconds adds max(0, w - threshold). A
	// request that still waits at the end of the run counts until then. If the
	// pod of a request is killed, the request counts as waiting since it was
	// first sent.
	OverThreshold float64
	// ReplicaSeconds is the integral over time of the number of pods that
	// exist: they start, serve or drain. All of them cost money.
	ReplicaSeconds float64
	// Changes counts the changes of scale.
	Changes float64
	// DirectionChanges counts the changes of scale in the opposite direction of
	// the previous change.
	DirectionChanges float64
}
