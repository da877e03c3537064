package render

import (
	"errors"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Monitoring are the objects through which Prometheus monitors all leases of one namespace.
// Those that are not needed are nil.
type Monitoring struct {
	PodMonitor     *monitoringv1.PodMonitor
	PrometheusRule *monitoringv1.PrometheusRule
	// MetricsRule has the rules of the administrator's metrics.
	MetricsRule *monitoringv1.PrometheusRule
}

// MonitoringNeeds are what the leases of one namespace that have no monitors of their own
// need together.
type MonitoringNeeds struct {
	// Scraped reports whether a lease needs its pods to be scraped, Autoscaled whether one
	// scales, and Renewed whether one is renewed while it serves requests.
	Scraped, Autoscaled, Renewed bool
	// Metrics are the metrics by which leases scale, sorted, without duplicates.
	Metrics []v1alpha1.MetricName
}

// Monitoring renders the shared monitoring of the leases of a namespace. lr must be made for
// a Release with Controller set.
func (lr *LeaseRenderer) Monitoring(namespace string, needs MonitoringNeeds) (*Monitoring, error) {
	return nil, errors.New("not built yet")
}

// MonitorsPerLease reports whether the leases of lr have their own PodMonitors and
// PrometheusRules, and SharesMonitors whether those of a namespace share them. During a
// change from one to the other, both are true. A lease with a target always has its own.
func (lr *LeaseRenderer) MonitorsPerLease() bool { return true }

// SharesMonitors is described at MonitorsPerLease.
func (lr *LeaseRenderer) SharesMonitors() bool { return false }

// Add adds what a granted lease needs. A lease with monitors of its own needs nothing.
func (n *MonitoringNeeds) Add(lease *v1alpha1.TritonLease, granted *v1alpha1.Granted) {}
