// Package simulation runs the real HPA controller of kube-controller-manager
// against a model of Triton's queues, and measures waiting and replicas.
//
// A day of traffic takes about a second, because the controller runs in a
// testing/synctest bubble, where time is simulated. The same run gives the same
// result. The chart's default behavior was chosen with it.
//
// The data flow is that of docs/signals.md, with one file for each part:
//
//	Traffic     traffic.go       requests per second over time, and their arrivals
//	Pod         pod.go           a Triton: a FIFO queue, a few instances, and their counters
//	Fleet       fleet.go         pods that start, serve, drain and end; the load balancing
//	series      prometheus.go    scrapes, and Prometheus's rate and delta
//	Parse       promql.go        the recording rules of the chart
//	System      system.go        the HPA, its metrics, and the intervals
//	Case        case.go          a run and its result
//	Run         simulation.go    the controller, its API server and the clock
//	Figures     figures.go       the cost: waiting, replicas, changes
//	Waits       waits.go         the distribution of the waits
//
// The tests compare the chart's default with other systems (systems_test.go), and write
// docs/behavior-table.md.
//
// Times are seconds since the start of a run, as float64, unless they are a
// time.Duration.
package simulation
