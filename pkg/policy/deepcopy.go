package policy

import (
	"slices"

	"github.com/triton-leases/tms/internal/generic"
)

// DeepCopy returns a request that shares nothing with this one.
func (r Request) DeepCopy() Request {
	r.Replicas.Minimum, r.Replicas.Maximum = generic.Pointer(r.Replicas.Minimum), generic.Pointer(r.Replicas.Maximum)
	for metric, asked := range r.Metrics.All() {
		if asked != nil {
			r.Metrics.Set(metric, &MetricRequest{
				Enabled: generic.Pointer(asked.Enabled), Enable: generic.Pointer(asked.Enable), Threshold: generic.Pointer(asked.Threshold),
			})
		}
	}
	return r
}

// DeepCopy returns a grant that shares nothing with this one.
func (g Grant) DeepCopy() Grant {
	g.Metrics = slices.Clone(g.Metrics)
	g.Adjustments = slices.Clone(g.Adjustments)
	g.Warnings = slices.Clone(g.Warnings)
	return g
}
