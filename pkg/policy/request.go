package policy

// Request is what a lease asks for: the values key leases.<name>.autoscaling.
// A nil pointer means that the lease did not ask.
type Request struct {
	// Enable makes the lease autoscaled. Without it nothing else is looked at.
	Enable   bool                      `json:"enable,omitempty"`
	Replicas ReplicaRequest            `json:"replicas,omitzero"`
	Metrics  PerMetric[*MetricRequest] `json:"metrics,omitzero"`
}

// ReplicaRequest is the replicas that a lease asks for.
type ReplicaRequest struct {
	Minimum *int64 `json:"minimum,omitempty"`
	Maximum *int64 `json:"maximum,omitempty"`
}

// MetricRequest is what a lease asks of one metric.
type MetricRequest struct {
	// Enabled turns the metric on or off for this lease.
	Enabled *bool `json:"enabled,omitempty"`
	// Enable is another spelling of Enabled.
	Enable *bool `json:"enable,omitempty"`
	// Threshold is in percent, or in microseconds for QueueTime.
	Threshold *int64 `json:"threshold,omitempty"`
}

// choice returns which key the lease turned the metric on or off with, and its
// value; nil where it named neither.
func (r *MetricRequest) choice() (key string, value *bool) {
	if r.Enabled != nil {
		return "enabled", r.Enabled
	}
	return "enable", r.Enable
}

// Pod is what the judgement must know of the pods of a lease. Of a Triton that
// somebody else deploys it is not known, and a nil *Pod stands for that.
type Pod struct {
	// CPURequest says whether the Triton container requests CPU.
	CPURequest bool
	// GPULimit says whether the Triton container has a GPU.
	GPULimit bool
	// FixedReplicas says whether the lease names a fixed number of replicas.
	FixedReplicas bool
}
