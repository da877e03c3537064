package render

import "time"

// MonitorsInForce is how long a change of monitors takes to be in force: the Prometheus Operator
// writes them to a Secret and ConfigMaps, and the kubelet updates their volumes.
const MonitorsInForce = 2 * time.Minute

// MonitorsHandover returns how long a lease's own monitors and the shared ones must exist side
// by side before one of the two can be deleted without a gap in the metrics.
func (lr *LeaseRenderer) MonitorsHandover(needs MonitoringNeeds) time.Duration {
	// A rate is right if the window is full. A target may be found and scraped first, and a
	// rule evaluated after that.
	window := 3 * lr.decoded.Server.Autoscaling.Prometheus.RateWindow.Value()
	if needs.Renewed {
		window += lr.bounds.Interval() // the window of tms_request_rate
	}
	return MonitorsInForce + window
}
