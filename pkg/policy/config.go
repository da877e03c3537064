package policy

// Config is the administrator's configuration: the values key
// server.autoscaling, with the names of NVIDIA Triton Management Service. Its
// defaults live in the values.yaml of the chart; Go has none of its own.
type Config struct {
	// Enable is the master switch.
	Enable     bool                    `json:"enable"`
	Replicas   ReplicaBounds           `json:"replicas"`
	Metrics    PerMetric[MetricBounds] `json:"metrics"`
	Prometheus Prometheus              `json:"prometheus"`
	// Behavior is a HorizontalPodAutoscalerBehavior that is handed on verbatim.
	Behavior map[string]any `json:"behavior,omitempty"`
}

// ReplicaBounds are the administrator's numbers of replicas.
type ReplicaBounds struct {
	// Default is what a lease gets that names no number.
	Default ReplicaDefaults `json:"default"`
	Limits  ReplicaLimits   `json:"limits"`
}

// ReplicaDefaults are the replicas of a lease that names none.
type ReplicaDefaults struct {
	Minimum int64 `json:"minimum"`
	Maximum int64 `json:"maximum"`
}

// ReplicaLimits are the replicas that a lease may be granted.
type ReplicaLimits struct {
	// Maximum is the highest maximum that a lease may be granted.
	Maximum int64 `json:"maximum"`
	// Minimum is the band in which a lease's minimum must lie.
	Minimum MinimumLimits `json:"minimum"`
}

// MinimumLimits is the band in which a lease's minimum must lie, both ends included.
type MinimumLimits struct {
	LowerBound int64 `json:"lowerBound"`
	UpperBound int64 `json:"upperBound"`
}

// MetricBounds is what the administrator says of one metric.
type MetricBounds struct {
	// Enabled puts the metric in effect for every autoscaled lease that does not turn it off.
	Enabled bool `json:"enabled"`
	// Enable is another spelling of Enabled in the documentation of TMS; either switches on.
	Enable bool `json:"enable,omitempty"`
	// Allowed lets a lease turn the metric on or off.
	Allowed bool `json:"allowed"`
	// Threshold is in percent, or in microseconds for QueueTime.
	Threshold ThresholdBounds `json:"threshold"`
}

// InEffect says whether the metric is in effect for a lease that does not name it.
func (b MetricBounds) InEffect() bool { return b.Enabled || b.Enable }

// ThresholdBounds are the thresholds that a lease may have for one metric.
type ThresholdBounds struct {
	// Default is the threshold of a lease that names none.
	Default int64 `json:"default"`
	Minimum int64 `json:"minimum"`
	// Maximum is the highest threshold; 0 means no upper limit, or 100 for GPUUtilization.
	Maximum int64 `json:"maximum"`
}

// band returns the thresholds that a lease may choose for the metric.
func (b ThresholdBounds) band(metric Metric) Band {
	if metric == GPUUtilization && b.Maximum == 0 {
		return Band{Min: b.Minimum, Max: 100}
	}
	return Band{Min: b.Minimum, Max: b.Maximum}
}

// Prometheus is how Prometheus finds and reads the leases.
type Prometheus struct {
	PodMonitorLabels map[string]string `json:"podMonitorLabels,omitempty"`
	RuleLabels       map[string]string `json:"ruleLabels,omitempty"`
	// RuleLables is a spelling in the documentation of TMS, merged under RuleLabels.
	RuleLables         map[string]string `json:"ruleLables,omitempty"`
	ScrapeInterval     Duration          `json:"scrapeInterval"`
	EvaluationInterval Duration          `json:"evaluationInterval"`
	// RateWindow is the window over which rates are taken.
	RateWindow Duration `json:"rateWindow"`
	Alerts     Alerts   `json:"alerts"`
}

// Alerts says whether each autoscaled lease gets its alerts.
type Alerts struct {
	Enabled bool `json:"enabled"`
}
