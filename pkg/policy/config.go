package policy

import (
	"cmp"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Config is the administrator's configuration: the values key server.autoscaling, with
// the names of NVIDIA Triton Management Service. Its defaults are in the chart's
// values.yaml; Go has none.
type Config struct {
	// Enable is the master switch.
	Enable bool `json:"enable"`
	// Source is empty for SourceAdapter.
	Source   Source        `json:"source,omitempty"`
	KEDA     KEDA          `json:"keda"`
	Replicas ReplicaBounds `json:"replicas"`
	// Metrics are the bounds of the metrics of TMS, and the metrics of the administrator.
	Metrics    map[v1alpha1.MetricName]MetricBounds `json:"metrics"`
	Prometheus Prometheus                           `json:"prometheus"`
	// Behavior is a HorizontalPodAutoscalerBehavior. It reaches the manifests unchanged.
	Behavior map[string]any `json:"behavior,omitempty"`
}

// Source is what serves the metrics to the HorizontalPodAutoscalers.
type Source string

// The values of Source.
const (
	// SourceAdapter is prometheus-adapter. The chart renders HorizontalPodAutoscalers.
	SourceAdapter Source = "adapter"
	// SourceKEDA is KEDA. The chart renders ScaledObjects, from which KEDA makes
	// HorizontalPodAutoscalers.
	SourceKEDA Source = "keda"
)

// KEDA is how KEDA logs in to Prometheus.
type KEDA struct {
	AuthenticationRef AuthenticationRef `json:"authenticationRef"`
	// AuthModes are names that the Prometheus scaler of KEDA knows, separated by commas.
	AuthModes string `json:"authModes,omitempty"`
}

// AuthenticationRef is a TriggerAuthentication of KEDA. There is none if it has no name.
type AuthenticationRef struct {
	Name string `json:"name,omitempty"`
	Kind string `json:"kind,omitempty"`
}

// ReplicaBounds are the administrator's numbers of replicas.
type ReplicaBounds struct {
	// Default is for leases that name no number.
	Default ReplicaDefaults `json:"default"`
	Limits  ReplicaLimits   `json:"limits"`
}

// ReplicaDefaults are the replicas of a lease that names none.
type ReplicaDefaults struct {
	Minimum int64 `json:"minimum"`
	Maximum int64 `json:"maximum"`
}

// ReplicaLimits are the replicas that a lease may have.
type ReplicaLimits struct {
	// Maximum is the highest maximum that a lease may have.
	Maximum int64 `json:"maximum"`
	// Minimum is the band in which a lease's minimum must lie.
	Minimum MinimumLimits `json:"minimum"`
}

// MinimumLimits is the band in which a lease's minimum must lie, both ends included.
type MinimumLimits struct {
	LowerBound int64 `json:"lowerBound"`
	UpperBound int64 `json:"upperBound"`
}

// MetricBounds are the administrator's bounds of one metric.
type MetricBounds struct {
	// Enabled puts the metric in effect for every autoscaled lease that does not turn it off.
	Enabled bool `json:"enabled"`
	// Enable is a spelling of Enabled in the documentation of NVIDIA TMS. Either turns the
	// metric on.
	Enable *bool `json:"enable,omitempty"`
	// Allowed lets a lease turn the metric on or off.
	Allowed bool `json:"allowed"`
	// Threshold is in the metric's unit.
	Threshold ThresholdBounds `json:"threshold"`

	// Query is the PromQL expression of a metric that the administrator defines. In it,
	// $pods stands for the selector of a lease's pods, and $window for the rate window.
	// Query and Unit are empty for the metrics of TMS.
	Query string `json:"query,omitempty"`
	Unit  Unit   `json:"unit,omitempty"`
}

// InEffect reports whether the metric is in effect for a lease that does not name it.
func (b MetricBounds) InEffect() bool { return b.Enabled || b.Enable != nil && *b.Enable }

// ThresholdBounds are the thresholds that a lease may have for one metric.
type ThresholdBounds struct {
	// Default is for leases that name no threshold.
	Default int64 `json:"default"`
	Minimum int64 `json:"minimum"`
	// Maximum is the highest threshold; 0 means Metric.Highest, or no upper limit.
	Maximum int64 `json:"maximum"`
}

// band returns the thresholds that a lease may choose for the metric.
func (b ThresholdBounds) band(metric Metric) Band {
	return Band{Min: b.Minimum, Max: cmp.Or(b.Maximum, metric.Highest)}
}

// Prometheus is how Prometheus finds and scrapes leases.
type Prometheus struct {
	// Address is the URL at which KEDA reaches Prometheus.
	Address string `json:"address,omitempty"`
	// Monitors is empty for the default: MonitorsPerLease for leases in values, and
	// MonitorsShared for TritonLeases.
	Monitors         Monitors          `json:"monitors,omitempty"`
	PodMonitorLabels map[string]string `json:"podMonitorLabels,omitempty"`
	RuleLabels       map[string]string `json:"ruleLabels,omitempty"`
	// RuleLables is a spelling of RuleLabels in the documentation of NVIDIA TMS. RuleLabels
	// overrides it key by key.
	RuleLables         map[string]string `json:"ruleLables,omitempty"`
	ScrapeInterval     v1alpha1.Duration `json:"scrapeInterval"`
	EvaluationInterval v1alpha1.Duration `json:"evaluationInterval"`
	// RateWindow is the window over which rates are taken.
	RateWindow v1alpha1.Duration `json:"rateWindow"`
	Alerts     Alerts            `json:"alerts"`
}

// Monitors tells whether leases share their PodMonitor and PrometheusRules. A lease with a
// target always has its own.
type Monitors string

// The values of Monitors.
const (
	MonitorsPerLease Monitors = "perLease"
	MonitorsShared   Monitors = "shared"
	// MonitorsBoth renders both, for the step from one to the other.
	MonitorsBoth Monitors = "both"
)

// Alerts configures the alerts of autoscaled leases.
type Alerts struct {
	Enabled bool `json:"enabled"`
}
