package render

import "time"

// MonitorsHandover returns how long a lease's own monitors and the shared ones must exist side
// by side before one of the two can be deleted without a gap in the metrics.
func (lr *LeaseRenderer) MonitorsHandover(needs MonitoringNeeds) time.Duration {
	// The Prometheus Operator writes the new monitors to a Secret and ConfigMaps, and the
	// kubelet updates their volumes within two minutes.
	const inForce = 2 * time.Minute
	// A rate is right if the window is full. A target may be found and scraped first, and a
	// rule evaluated after that.
	window := 3 * lr.decoded.Server.Autoscaling.Prometheus.RateWindow.Value()
	if needs.Renewed {
		window += lr.bounds.Interval() // the window of tms_request_rate
	}
	return inForce + window
}
