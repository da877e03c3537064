package helmchart_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/helmchart"
)

// TestChartRefusesNamespace checks that the chart refuses an invalid namespace, which is
// part of PromQL expressions. pkg/render refuses it before it runs the chart.
func TestChartRefusesNamespace(t *testing.T) {
	t.Parallel()
	chart, err := helmchart.Load(charts.TMS())
	require.NoError(t, err)
	for namespace, refused := range map[string]bool{"inference": false, "1": false, `x"} or vector(1)`: true, "UPPER": true, "a.b": true, "": true} {
		merged, err := chart.Coalesce(nil)
		require.NoError(t, err)
		_, err = chart.Render(helmchart.Release{Name: "tms", Namespace: namespace}, merged)
		if refused {
			require.ErrorContains(t, err, "namespace: Invalid value", namespace)
		} else {
			require.NoError(t, err, namespace)
		}
	}
}
