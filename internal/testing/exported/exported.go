// Package exported reads the definitions of metrics from a registry.
package exported

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/metric"
)

var types = map[dto.MetricType]metric.Type{
	dto.MetricType_COUNTER: metric.Counter, dto.MetricType_GAUGE: metric.Gauge, dto.MetricType_HISTOGRAM: metric.Histogram,
}

// Metrics returns the definitions of the metrics with the prefix tms_ that have a series.
func Metrics(t *testing.T, registry prometheus.Gatherer) []metric.Metric {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	var all []metric.Metric
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "tms_") {
			continue
		}
		m := metric.Metric{Name: family.GetName(), Type: types[family.GetType()], Help: family.GetHelp()}
		for _, label := range family.GetMetric()[0].GetLabel() {
			m.Labels = append(m.Labels, label.GetName())
		}
		slices.Sort(m.Labels)
		all = append(all, m)
	}
	return all
}
