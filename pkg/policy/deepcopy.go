package policy

import "slices"

// DeepCopy returns a request that shares nothing with this one.
func (r Request) DeepCopy() Request {
	r.Replicas.Minimum, r.Replicas.Maximum = copyOf(r.Replicas.Minimum), copyOf(r.Replicas.Maximum)
	for metric, asked := range r.Metrics.All() {
		if asked != nil {
			r.Metrics.Set(metric, &MetricRequest{
				Enabled: copyOf(asked.Enabled), Enable: copyOf(asked.Enable), Threshold: copyOf(asked.Threshold),
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

func copyOf[T any](value *T) *T {
	if value == nil {
		return nil
	}
	return new(*value)
}
