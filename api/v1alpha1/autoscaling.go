package v1alpha1

// Autoscaling is how a lease asks to scale. A nil pointer means that the lease does
// not ask, and gets the administrator's default.
type Autoscaling struct {
	// Enable makes the lease autoscaled. Without it the other fields have no effect.
	Enable   bool                         `json:"enable,omitempty"`
	Replicas ReplicaRange                 `json:"replicas,omitzero"`
	Metrics  map[MetricName]MetricRequest `json:"metrics,omitempty"`
}

// ReplicaRange is the smallest and the largest number of replicas.
type ReplicaRange struct {
	Minimum *int64 `json:"minimum,omitempty"`
	Maximum *int64 `json:"maximum,omitempty"`
	// Schedule are other numbers at certain times, at most MaxSchedule.
	Schedule []ScheduledRange `json:"schedule,omitempty"`
}

// MaxSchedule is the most entries that a schedule may have, as in the schema of the chart.
const MaxSchedule = 20

// ScheduledRange is a range of replicas that takes effect at the times of a cron expression.
// It stays in effect until the next time of any entry of the schedule.
type ScheduledRange struct {
	// Cron has five fields, or is a name such as @daily.
	Cron string `json:"cron"`
	// TimeZone is a name of the IANA database. If it is empty, it is Etc/UTC.
	TimeZone string `json:"timeZone,omitempty"`
	// Minimum and Maximum default to those that the lease has without a schedule.
	Minimum *int64 `json:"minimum,omitempty"`
	Maximum *int64 `json:"maximum,omitempty"`
}

// MetricName is the name of a metric that leases scale by, as the values spell it:
// one of policy.Metrics, or one that the administrator defines.
type MetricName string

// The metrics of NVIDIA Triton Management Service.
const (
	CPUUtilization MetricName = "cpuUtilization"
	GPUUtilization MetricName = "gpuUtilization"
	QueueTime      MetricName = "queueTime"
)

// The metrics that TMS adds, for language models.
const (
	FirstResponseTime MetricName = "firstResponseTime"
	WaitingRequests   MetricName = "waitingRequests"
)

// MetricRequest is what a lease asks of one metric.
type MetricRequest struct {
	// Enabled turns the metric on or off for this lease.
	Enabled *bool `json:"enabled,omitempty"`
	// Enable is another spelling of Enabled.
	Enable *bool `json:"enable,omitempty"`
	// Threshold is the value above which replicas are added, in the metric's unit.
	Threshold *int64 `json:"threshold,omitempty"`
}
