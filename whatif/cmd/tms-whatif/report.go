package main

import (
	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/whatif/internal/simulation"
)

// report is what -o json prints.
type report struct {
	Lease string `json:"lease"`
	// Traffic is the load, which is the same for all results.
	Traffic struct {
		Name     string  `json:"name"`
		Seconds  float64 `json:"seconds"`
		Requests int     `json:"requests"`
	} `json:"traffic"`
	// ReplicaCapacity is the number of requests per second that a replica can serve.
	ReplicaCapacity float64  `json:"replicaCapacity"`
	Results         []result `json:"results"`
}

// result is one alternative.
type result struct {
	Alternative string                     `json:"alternative"`
	MinReplicas int32                      `json:"minReplicas"`
	MaxReplicas int32                      `json:"maxReplicas"`
	Metrics     []v1alpha1.MetricThreshold `json:"metrics"`
	// Waiting is in seconds: until a request is served, or until its first response with
	// --first-response.
	Waiting struct {
		Mean    float64 `json:"mean"`
		P50     float64 `json:"p50"`
		P99     float64 `json:"p99"`
		Maximum float64 `json:"maximum"`
	} `json:"waitingSeconds"`
	ReplicaHours float64 `json:"replicaHours"`
	// GPUHours is nil if the number of GPUs is not known, Cost if there are no prices.
	GPUHours *float64 `json:"gpuHours"`
	Cost     *float64 `json:"cost"`
	// Changes is the number of changes of the wanted replicas.
	Changes          int     `json:"changes"`
	SecondsAtMaximum float64 `json:"secondsAtMaximum"`
	// Timeline has the replicas from each second on at which they change.
	Timeline []change `json:"timeline"`
}

// change is a change of the wanted or the ready replicas.
type change struct {
	Second   int `json:"second"`
	Replicas int `json:"replicas"`
	Ready    int `json:"ready"`
}

func (o *options) report(traffic simulation.Traffic, outcomes []*outcome) report {
	r := report{Lease: outcomes[0].Name, ReplicaCapacity: o.model.simulated(0, 0).Capacity()}
	r.Traffic.Name, r.Traffic.Seconds = traffic.Name, traffic.Length
	for _, second := range outcomes[0].Seconds {
		r.Traffic.Requests += second.Requests
	}
	for _, one := range outcomes {
		r.Results = append(r.Results, o.result(one))
	}
	return r
}

func (o *options) result(one *outcome) result {
	r := result{
		Alternative: one.String(), MinReplicas: one.System.Minimum, MaxReplicas: one.System.Maximum, Metrics: one.Metrics,
		ReplicaHours: one.ReplicaSeconds / simulation.Hour, Changes: int(one.Changes),
	}
	r.Waiting.Mean, r.Waiting.Maximum = one.Waits.Mean(), one.Waits.Longest
	r.Waiting.P50, r.Waiting.P99 = one.Waits.Quantile(0.5), one.Waits.Quantile(0.99)
	cost := r.ReplicaHours * o.prices.replicaHour
	if one.gpus != unknownGPUs {
		hours := r.ReplicaHours * float64(one.gpus)
		r.GPUHours = &hours
		cost += hours * o.prices.gpuHour
	}
	if o.prices != (prices{}) {
		r.Cost = &cost
	}
	for i, second := range one.Seconds {
		if second.Replicas >= int(one.System.Maximum) {
			r.SecondsAtMaximum++
		}
		now := change{i, second.Replicas, second.Ready}
		if last := len(r.Timeline) - 1; last < 0 || r.Timeline[last].Replicas != now.Replicas || r.Timeline[last].Ready != now.Ready {
			r.Timeline = append(r.Timeline, now)
		}
	}
	return r
}
