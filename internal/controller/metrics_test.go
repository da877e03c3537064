package controller

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/metric"
	"github.com/triton-leases/tms/internal/testing/exported"
)

// gather returns the values of all series.
func gather(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := make([]string, len(metric.GetLabel()))
			for i, label := range metric.GetLabel() {
				labels[i] = label.GetName() + "=" + label.GetValue()
			}
			values[family.GetName()+" "+strings.Join(labels, " ")] = metric.GetGauge().GetValue()
		}
	}
	return values
}

// TestMetrics: the metrics count the conditions of leases, and report a configuration
// that cannot be read.
func TestMetrics(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "values.yaml")
	const budgeted = `server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true, allowed: true}}}, leases: {limits: {cpu: 1500m, leasesPerNamespace: null}, budget: {gpus: 4, namespaces: {idle: {gpus: 1}}}}}`
	require.NoError(t, os.WriteFile(file, []byte(budgeted), 0o600))
	read, err := config.Read(file, "tms", "system")
	require.NoError(t, err)
	since, _ := read.InForce()
	e := newEnvironment(t, budgeted, newLease(t, "a", `{models: [{name: m, uri: /m}], triton: {resources: {limits: {nvidia.com/gpu: 1}}}, autoscaling: {enable: true, replicas: {maximum: 3}}}`), newLease(t, "b", fixed), newLease(t, "c", contradiction))
	for _, name := range []string{"a", "b", "c"} {
		e.reconcile(name)
	}
	c := newCollector(e.Client, read, e.installation)
	require.Equal(t, map[string]float64{
		"tms_configuration_last_reload_successful ":                       1,
		"tms_configuration_last_reload_success_timestamp_seconds ":        float64(since.Unix()),
		"tms_leases condition=Autoscaling reason=NotAsked status=False":   1,
		"tms_leases condition=Autoscaling reason=Refused status=False":    1,
		"tms_leases condition=Autoscaling reason=Starting status=Unknown": 1,
		"tms_leases condition=Granted reason=Granted status=True":         2,
		"tms_leases condition=Granted reason=Refused status=False":        1,
		"tms_leases condition=Ready reason=Refused status=False":          1,
		"tms_leases condition=Ready reason=Starting status=False":         2,
		"tms_budget_gpus namespace=ns":                                    4,
		"tms_budget_gpus namespace=idle":                                  1,
		"tms_budget_gpus_charged namespace=ns":                            3,
		"tms_budget_gpus_charged namespace=idle":                          0,
		"tms_lease_limit resource=cpu":                                    1.5,
		"tms_lease_limit resource=gpus":                                   8,
		"tms_lease_limit resource=leases":                                 20000,
		"tms_lease_limit resource=replicas":                               10,
	}, gather(t, c))

	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(c))
	require.ElementsMatch(t, metric.Controller(), exported.Metrics(t, registry))

	require.NoError(t, os.Remove(file))
	_, err = read.Reload()
	require.Error(t, err)
	c.Reader = &failingReader{Client: e.Client, fail: "same target", err: errors.New("not synced")} // fails to list leases
	require.Equal(t, map[string]float64{
		"tms_configuration_last_reload_successful ":                0,
		"tms_lease_limit resource=cpu":                             1.5,
		"tms_lease_limit resource=gpus":                            8,
		"tms_lease_limit resource=leases":                          20000,
		"tms_lease_limit resource=replicas":                        10,
		"tms_configuration_last_reload_success_timestamp_seconds ": float64(since.Unix()),
	}, gather(t, c))
}
