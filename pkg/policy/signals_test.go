package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/pkg/policy"
)

func TestParseImage(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]policy.Image{
		"nvcr.io/nvidia/tritonserver:26.08-py3":             {Year: 26, Month: 8},
		"nvcr.io/nvidia/tritonserver:24.05-vllm-python-py3": {Year: 24, Month: 5, Engine: "vllm"},
		"host:5000/a/b:23.10-trtllm-python-py3":             {Year: 23, Month: 10, Engine: "trtllm"},
		"triton:24.05-py3@sha256:0123456789":                {Year: 24, Month: 5},
		"triton:my-vllm":                                    {Engine: "vllm"},
		"vllm/triton":                                       {},
		"host:24.05-x/triton":                               {},
		"triton@sha256:0123":                                {},
		"triton:latest":                                     {},
		"triton:24.04":                                      {},
		"triton:24.13-py3":                                  {},
		"triton:2.48.0-py3":                                 {},
		"":                                                  {},
	} {
		require.Equal(t, want, policy.ParseImage(reference), reference)
	}
	require.Equal(t, "24.05", policy.ParseImage("x:24.05-py3").Release())
	require.Empty(t, policy.Image{}.Release())
	require.False(t, policy.Image{}.AtLeast(0, 0) || policy.Image{}.Before(99, 12), "nothing is known")
	require.False(t, policy.ParseImage("x:23.12-py3").ConnectionAge())
	require.True(t, policy.ParseImage("x:24.01-py3").ConnectionAge())
	require.True(t, policy.ParseImage("x:25.01-py3").AtLeast(24, 12))
	require.True(t, policy.ParseImage("x:24.12-py3").Before(25, 1))
}

func TestSignals(t *testing.T) {
	t.Parallel()
	const (
		engine = "leases.x.autoscaling.metrics.queueTime: the image is for vllm, and requests wait in that engine, not in Triton's queue: queueTime reads nearly 0 under any load; use firstResponseTime"
		leak   = ": Triton 23.10 does not always count down its pending requests, which is fixed in 23.11: the metric can stay high without load"
	)
	for name, test := range map[string]struct {
		config, image     string
		args              []string
		warnings, reasons []string
	}{
		"nothing known":              {image: "triton:latest", args: []string{"--metrics-config=summary_latencies=true", "--metrics-config", "counter_latencies=true"}},
		"an engine":                  {image: "t:26.08-vllm-python-py3", warnings: []string{engine}},
		"the right metric beside it": {image: "t:26.08-vllm-python-py3", config: `{metrics: {firstResponseTime: {enabled: true}}}`},
		"another engine":             {image: "t:26.08-trtllm-python-py3", config: `{metrics: {queueTime: {enabled: false}, waitingRequests: {enabled: true}}}`},
		"an engine that does not report": {image: "t:26.08-vllm-python-py3", config: `{metrics: {queueTime: {enabled: false}, waitingRequests: {enabled: true}}}`, warnings: []string{
			"leases.x.autoscaling.metrics.waitingRequests: the image is for vllm, which does not report its waiting requests to Triton: waitingRequests reads nearly 0 under any load; use firstResponseTime",
		}},
		"a leak": {image: "t:23.10-py3", config: `{metrics: {waitingRequests: {enabled: true}}}`, warnings: []string{
			"leases.x.autoscaling.metrics.queueTime" + leak, "leases.x.autoscaling.metrics.waitingRequests" + leak,
		}},
		"no histogram": {image: "t:24.10-py3", config: `{metrics: {firstResponseTime: {enabled: true}}}`, warnings: []string{
			"leases.x.autoscaling.metrics.firstResponseTime: Triton 24.10 has no histogram of first responses, which exists since 24.11; the lease does not scale down while the metric is missing",
		}},
		"no counters": {image: "t:24.11-py3", args: []string{"--metrics-config=counter_latencies=false", "--metrics-config", "counter_latencies=0"}, reasons: []string{
			"triton.args[0]: Forbidden: --metrics-config turns off counter_latencies, which leases.x.autoscaling.metrics.queueTime needs; remove the argument, or turn the metric off",
			"triton.args[1]: Forbidden: --metrics-config turns off counter_latencies, which leases.x.autoscaling.metrics.queueTime needs; remove the argument, or turn the metric off",
		}},
		"no counters, which nothing needs": {config: `{metrics: {queueTime: {enabled: false}, firstResponseTime: {enabled: true}}}`, args: []string{"--metrics-config=counter_latencies=false"}},
		"histogram turned off": {config: `{metrics: {firstResponseTime: {enabled: true}}}`, args: []string{"--metrics-c=histogram_latencies=False"}, reasons: []string{
			"triton.args[0]: Forbidden: --metrics-c (--metrics-config) turns off histogram_latencies, which leases.x.autoscaling.metrics.firstResponseTime needs; remove the argument, or turn the metric off",
		}},
		"no GPU metrics": {config: `{metrics: {gpuUtilization: {enabled: true}}}`, args: []string{"--allow-gpu-metrics=false"}, warnings: []string{
			"triton.args[0]: --allow-gpu-metrics is false, so Triton does not report the GPU utilization that leases.x.autoscaling.metrics.gpuUtilization reads; the lease does not scale down while the metric is missing",
		}},
		"no GPU metrics, which nothing needs": {args: []string{"--allow-gpu-metrics", "false"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := policy.New(config(t, test.config))
			require.NoError(t, err)
			grant, err := p.Grant(path, request(t, `{enable: true}`), &policy.Pod{
				CPURequest: true, GPULimit: true, Image: test.image,
				Arguments: []policy.Arguments{{Path: field.NewPath("triton", "args"), Items: test.args}},
			})
			var reasons []string
			for _, reason := range policy.Reasons(err) {
				reasons = append(reasons, reason.Error())
			}
			require.Equal(t, test.reasons, reasons)
			require.Equal(t, test.warnings, sentences(grant.Warnings))
		})
	}
}
