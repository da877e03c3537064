package lease

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/pkg/render"
	"github.com/triton-leases/tms/whatif/internal/simulation"
)

// of returns the only lease of values.
func of(t *testing.T, values ...string) (*Lease, error) {
	t.Helper()
	renderer, err := render.New(render.Options{})
	require.NoError(t, err)
	var files [][]byte
	for _, text := range values {
		files = append(files, []byte(text))
	}
	result, err := renderer.Render(render.Release{Name: "tms", Namespace: "inference"}, files...)
	require.NoError(t, err)
	return Of(result)
}

const (
	queueTime = `
server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}
leases: {a: {models: [{name: m, uri: "s3://models/m"}], autoscaling: {enable: true}}}
`
	target = `
server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}
leases: {a: {target: {name: triton, selector: {app: triton}, metricsPort: metrics}, autoscaling: {enable: true}}}
`
)

func TestOf(t *testing.T) {
	l, err := of(t, queueTime, `
server: {autoscaling: {prometheus: {scrapeInterval: 5s, evaluationInterval: 10s, rateWindow: 30s}, behavior: {scaleUp: {stabilizationWindowSeconds: 7}}}}
triton: {terminationGracePeriodSeconds: 77, resources: {limits: {nvidia.com/gpu: 2}}}
leases: {a: {autoscaling: {replicas: {minimum: 2, maximum: 7}, metrics: {queueTime: {threshold: 30000}}}}}
`)
	require.NoError(t, err)
	require.Equal(t, "a", l.Name)
	require.Equal(t, "leases.a", l.Path)
	require.Equal(t, []int{5, 10}, []int{l.System.ScrapeInterval, l.System.EvaluationInterval})
	require.Equal(t, []int32{2, 7}, []int32{l.System.Minimum, l.System.Maximum})
	require.EqualValues(t, 7, *l.System.Behavior.ScaleUp.StabilizationWindowSeconds)
	require.Equal(t, 77.0, l.Drain)
	require.True(t, l.HasPods)
	require.EqualValues(t, 2, l.GPUs)
	require.Len(t, l.System.Metrics, 1)
	require.Equal(t, "30k", l.System.Metrics[0].Spec.Pods.Target.AverageValue.String())
	threshold, ok := l.Threshold()
	require.True(t, ok)
	require.Equal(t, 0.03, threshold)
}

// TestWithoutHPA checks leases whose HorizontalPodAutoscaler the chart does not render.
func TestWithoutHPA(t *testing.T) {
	_, err := of(t, queueTime, "server: {autoscaling: {source: keda, prometheus: {address: 'http://prometheus.monitoring.svc:9090'}}}")
	require.EqualError(t, err, "a: has no HorizontalPodAutoscaler: KEDA is not simulated: add --set server.autoscaling.source=adapter")
	_, err = of(t, queueTime, `
images: {server: "registry.example.com/tms-server:1"}
server: {enabled: true}
leases: {a: {autoscaling: {replicas: {schedule: [{cron: "@daily", minimum: 2}]}}}}
`)
	require.EqualError(t, err, "leases.a.autoscaling.replicas.schedule: is not simulated: replace it with the minimum and maximum of one entry")
}

// TestMonitors checks that the rules are found in whichever objects the leases share.
func TestMonitors(t *testing.T) {
	for _, monitors := range []string{"perLease", "shared", "both"} {
		l, err := of(t, queueTime, "server: {autoscaling: {prometheus: {monitors: "+monitors+"}}}")
		require.NoError(t, err, monitors)
		require.Equal(t, 15, l.System.ScrapeInterval, monitors)
		require.Equal(t, 15, l.System.EvaluationInterval, monitors)
	}
}

// TestTarget checks that the pods of a workload without a rendered Deployment are not known.
func TestTarget(t *testing.T) {
	l, err := of(t, target)
	require.NoError(t, err)
	require.False(t, l.HasPods)
	require.Equal(t, 30.0, l.Drain)
}

// TestMetrics checks which metrics are simulated.
func TestMetrics(t *testing.T) {
	enabled := func(metric string) string {
		return "server: {autoscaling: {metrics: {" + metric + "}}}\ntriton: {resources: {requests: {cpu: 1}, limits: {nvidia.com/gpu: 1}}}\n"
	}
	own := func(query string) string {
		return enabled(`mine: {enabled: true, unit: requests, query: '` + query + `', threshold: {default: 5, minimum: 1, maximum: 0}}`)
	}
	for _, c := range []struct {
		name, values, want string
		metrics            int
	}{
		{"every metric of Triton", enabled("gpuUtilization: {enabled: true}, firstResponseTime: {enabled: true}, waitingRequests: {enabled: true}"), "", 4},
		{"an own metric", own(`sum by (namespace, pod) (nv_inference_pending_request_count{$pods})`), "", 2},
		{"an own metric with another series", own(`sum by (namespace, pod) (vllm:num_requests_waiting{$pods})`), `server.autoscaling.metrics.mine.query: is not simulated: the simulation has no series "vllm:num_requests_waiting"`, 0},
		{"CPU", enabled("cpuUtilization: {enabled: true}"), "leases.a.autoscaling.metrics.cpuUtilization: is not simulated", 0},
		{"not autoscaled", "leases: {a: {autoscaling: {enable: false}}}", "a: the lease is not autoscaled: set leases.a.autoscaling.enable and server.autoscaling.enable", 0},
	} {
		l, err := of(t, queueTime, c.values)
		if c.want != "" {
			require.ErrorContains(t, err, c.want, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Len(t, l.System.Metrics, c.metrics, c.name)
	}
}

// TestAllFaults checks that all faults are reported at once.
func TestAllFaults(t *testing.T) {
	_, err := of(t, queueTime, `
server: {autoscaling: {metrics: {cpuUtilization: {enabled: true}}, prometheus: {scrapeInterval: 1500ms, evaluationInterval: 500ms}}}
triton: {resources: {requests: {cpu: 1}}}
`)
	require.EqualError(t, err, `server.autoscaling.prometheus.scrapeInterval: 1500ms: is not simulated: must be a whole number of seconds
server.autoscaling.prometheus.evaluationInterval: 500ms: is not simulated: must be a whole number of seconds
leases.a.autoscaling.metrics.cpuUtilization: is not simulated: the CPU use of a model is not known: turn the metric off, with --set server.autoscaling.metrics.cpuUtilization.enabled=false`)
}

// TestCheck checks that the time to the first response must be known if the lease scales by it.
func TestCheck(t *testing.T) {
	l, err := of(t, queueTime, "server: {autoscaling: {metrics: {firstResponseTime: {enabled: true}}}}")
	require.NoError(t, err)
	require.ErrorContains(t, l.Check(simulation.Model{}), "leases.a.autoscaling.metrics.firstResponseTime: needs the time")
	require.NoError(t, l.Check(simulation.Model{First: 1}))
	l, err = of(t, queueTime)
	require.NoError(t, err)
	require.NoError(t, l.Check(simulation.Model{}))
}
