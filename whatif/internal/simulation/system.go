package simulation

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// System is a configuration that scales Triton: the HPA, its metrics, and the intervals.
type System struct {
	Name string
	// Minimum and Maximum bound the replicas.
	Minimum, Maximum int32
	// ScrapeInterval is in whole seconds.
	ScrapeInterval int
	// EvaluationInterval is the interval of the rules, in whole seconds. 0: there are
	// no rules, and the adapter queries Prometheus whenever the HPA queries the adapter.
	EvaluationInterval int
	Metrics            []Metric
	// Behavior is spec.behavior, before the API server's defaulting. It may be nil.
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior
}

// Metric is a metric of an HPA. Its Spec has the type Pods or External.
type Metric struct {
	Spec autoscalingv2.MetricSpec
	// Expression returns the value of a Pods metric.
	Expression Expression
	// External returns the value of an External metric for all pods.
	External func(fleet []*series, now float64) float64
}

// name returns the name of the metric in its API.
func (m Metric) name() string {
	if m.Spec.Pods != nil {
		return m.Spec.Pods.Metric.Name
	}
	return m.Spec.External.Metric.Name
}

// Cluster has the settings of the components between Prometheus and the replicas.
type Cluster struct {
	// SyncPeriod and Tolerance are --horizontal-pod-autoscaler-sync-period and
	// --horizontal-pod-autoscaler-tolerance of kube-controller-manager.
	SyncPeriod time.Duration
	Tolerance  float64
	// RelistInterval is --metrics-relist-interval of prometheus-adapter: the interval at
	// which it discovers series. It must not be 0.
	RelistInterval time.Duration
}

// DefaultCluster returns the defaults of kube-controller-manager and of the chart of
// prometheus-adapter.
func DefaultCluster() Cluster {
	return Cluster{SyncPeriod: 15 * time.Second, Tolerance: 0.1, RelistInterval: time.Minute}
}
