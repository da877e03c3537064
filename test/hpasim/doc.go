// Package hpasim runs the real HPA controller of kube-controller-manager
// against a model of Triton's queues, and says what each way of scaling costs.
//
// A day of traffic takes about a second, because the controller runs in a
// testing/synctest bubble: its clock jumps. The same run gives the same table,
// to the byte. So the chart's default behavior can be chosen from figures.
//
// The path of a number is that of docs/signals.md, one file for each part:
//
//	Traffic     traffic.go       requests per second over time, and their arrivals
//	Pod         pod.go           a Triton: a FIFO queue before a few instances, and its counters
//	Fleet       fleet.go         pods that start, serve, drain and end; the load spread over them
//	series      prometheus.go    scrapes, and Prometheus's rate and delta
//	System      systems.go       what is asked of Prometheus, and how the HPA is told to act on it
//	Run         simulation.go    the controller, its API server and the clock
//	Figures     figures.go       what it cost: waiting, replicas, changes of direction
//	Report      report.go        the table
//
// Times are seconds since the start of a run, as float64, unless they are a
// time.Duration.
package hpasim
