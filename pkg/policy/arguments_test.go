package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/pkg/policy"
)

func arguments(items ...string) policy.Arguments {
	return policy.Arguments{Path: field.NewPath("triton", "args"), Items: items}
}

func TestCheckArguments(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		items   []string
		command bool
		reasons string
	}{
		"none":    {},
		"allowed": {items: []string{"--log-verbose=1", "--reuse-http-port=1", "--http-thread-count=4", "0.0.0.0", "--grpc-max-connection-age=1", "--model-load-thread-count=2", "--exit-on-error=false", "--metrics-interval-ms=1", "--allow-grpc=true", "--", "-x", "http-port"}},
		"true":    {items: []string{"--allow-http=true", "--allow-metrics", "1", "--allow-http"}},
		"a port":  {items: []string{"--http-port=8501"}, reasons: "triton.args[0]: Forbidden: --http-port contradicts the chart: the probes and the Service use port 8000; remove it"},
		"in two items": {
			items:   []string{"--log-verbose=1", "--grpc-port", "1"},
			reasons: "triton.args[1]: Forbidden: --grpc-port contradicts the chart: the Service uses port 8001; remove it",
		},
		"abbreviated": {items: []string{"--http-po=1", "--allow-m", "FALSE"}, reasons: `triton.args[0]: Forbidden: --http-po (--http-port) contradicts the chart: the probes and the Service use port 8000; remove it
triton.args[1]: Forbidden: --allow-m (--allow-metrics) contradicts the chart: the PodMonitor reads the metrics of Triton; remove it`},
		"ambiguous abbreviations, which Triton refuses": {items: []string{"--http", "--m", "--lo=1", "--exit"}},
		"false as 0": {items: []string{"--allow-http=0"}, reasons: "triton.args[0]: Forbidden: --allow-http contradicts the chart: the probes use HTTP; remove it"},
		"the time to end": {
			items:   []string{"--exit-timeout-secs=5"},
			reasons: "triton.args[0]: Forbidden: --exit-timeout-secs contradicts the chart: it follows from terminationGracePeriodSeconds; remove it, and set triton.terminationGracePeriodSeconds",
		},
		"one item is one argument": {items: []string{"x --http-port=1"}},
		"a script": {
			command: true, items: []string{"sh", "-c", "exec tritonserver --metrics-port 9 \"$@\""},
			reasons: "triton.args[2]: Forbidden: --metrics-port contradicts the chart: the PodMonitor reads port 8002; remove it",
		},
		"a script with two of them": {
			command: true, items: []string{"sh -c 'tritonserver --model-control-mode=poll --allow-http false'"},
			reasons: `triton.args[0]: Forbidden: --model-control-mode contradicts the chart: the chart sets it to explicit, so that Triton loads the models of the lease and no others; remove it, and list the models of the lease in models
triton.args[0]: Forbidden: --allow-http contradicts the chart: the probes use HTTP; remove it`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := arguments(test.items...)
			list.Command = test.command
			require.Equal(t, test.reasons, policy.CheckArguments(list).Error())
		})
	}
}

// TestOptions checks each option in each spelling that Triton reads.
func TestOptions(t *testing.T) {
	t.Parallel()
	for _, option := range policy.Options() {
		require.True(t, strings.HasPrefix(option.Name, option.Shortest), option.Name)
		for length := len(option.Shortest); length <= len(option.Name); length++ {
			name := "--" + option.Name[:length]
			require.Len(t, policy.CheckArguments(arguments(name+"=false")), 1, name)
			require.Len(t, policy.CheckArguments(arguments("--log-info=1", name, "false")), 1, name)
			require.Equal(t, option.OnlyFalse, len(policy.CheckArguments(arguments(name+"=true"))) == 0, name)
		}
		require.Empty(t, policy.CheckArguments(arguments("--"+option.Shortest[:len(option.Shortest)-1]+"=false")))
		require.Empty(t, policy.CheckArguments(arguments("--"+option.Name+"s=false")))
	}
}
