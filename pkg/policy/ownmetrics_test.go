package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
)

// withMetric returns a configuration with one metric of the administrator.
func withMetric(t testing.TB, name v1alpha1.MetricName, query string) policy.Config {
	c := config(t, "")
	c.Metrics[name] = policy.MetricBounds{
		Enabled: true, Query: query, Unit: "percent", Threshold: policy.ThresholdBounds{Default: 80, Minimum: 50, Maximum: 95},
	}
	return c
}

func TestOwnMetrics(t *testing.T) {
	t.Parallel()
	p, err := policy.New(withMetric(t, "kvCache2Use", "max by (namespace, pod) (up{$pods})"))
	require.NoError(t, err)
	metrics := p.Metrics()
	require.Len(t, metrics, len(policy.Metrics())+1)
	require.Equal(t, policy.Metric{
		Name: "kvCache2Use", Unit: "percent", Series: "tms_metric_kv_cache2_use", Query: "max by (namespace, pod) (up{$pods})",
	}, metrics[len(metrics)-1])
	metrics[0].Name = "changed"
	require.Equal(t, v1alpha1.CPUUtilization, p.Metrics()[0].Name, "Metrics returns a copy")
	require.Empty(t, p.Warnings())

	grant, err := p.Grant(path, request(t, `{enable: true, metrics: {kvCache2Use: {threshold: 99}}}`), nil)
	require.NoError(t, err)
	require.Equal(t, []v1alpha1.MetricThreshold{{Metric: v1alpha1.QueueTime, Threshold: 10000}, {Metric: "kvCache2Use", Threshold: 95}}, grant.Metrics)
	require.Equal(t, []string{"leases.x.autoscaling.metrics.kvCache2Use.threshold: asked 99, granted 95 (server.autoscaling.metrics.kvCache2Use.threshold.maximum)"}, sentences(grant.Adjustments))
}

// TestSpellingsOfEnabled checks that a contradiction between the two spellings is a warning:
// either turns the metric on, so that enable: false does nothing.
func TestSpellingsOfEnabled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		enabled  bool
		enable   *bool
		inEffect bool
		warnings []string
	}{
		{enabled: true, inEffect: true},
		{enabled: true, enable: new(true), inEffect: true},
		{enabled: true, enable: new(false), inEffect: true, warnings: []string{
			"server.autoscaling.metrics.queueTime.enable: false has no effect beside enabled: true: remove enable, or set enabled: false",
		}},
		{enable: new(true), inEffect: true},
		{enable: new(false)},
		{},
	} {
		c := config(t, "")
		bounds := c.Metrics[v1alpha1.QueueTime]
		bounds.Enabled, bounds.Enable = test.enabled, test.enable
		c.Metrics[v1alpha1.QueueTime] = bounds
		p, err := policy.New(c)
		require.NoError(t, err)
		require.Equal(t, test.inEffect, bounds.InEffect())
		require.Equal(t, test.warnings, p.Warnings())
	}
}

// TestSeriesDiffer checks that no two metrics record the same series.
func TestSeriesDiffer(t *testing.T) {
	t.Parallel()
	c := config(t, "")
	for _, name := range []v1alpha1.MetricName{"a", "aB", "ab", "aBC", "aBc", "aB1", "ab1", "a1b", "avgGpuUtilization"} {
		c.Metrics[name] = policy.MetricBounds{Query: "up{$pods}", Threshold: policy.ThresholdBounds{Default: 1, Minimum: 1}}
	}
	p, err := policy.New(c)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, metric := range p.Metrics() {
		require.False(t, seen[metric.Series], metric.Series)
		require.Regexp(t, "^[a-z0-9_]*$", metric.Series)
		require.False(t, strings.HasSuffix(metric.Series, "_total"))
		seen[metric.Series] = true
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	for query, problem := range map[string]string{
		"sum by (namespace, pod) (up{$pods})":                                           "",
		"sum by (namespace,pod) (rate(x{a=\"b\", $pods ,c='d'}[$window])) # $nothing (": "",
		`sum by(pod,namespace)(label_replace(up{$pods}, "a", "$1", "b", "(.*)$"))`:      "",
		"sum by (namespace, pod) (x{$pods, a=~`[({`, b=\"\\\"\"})":                      "",
		"up":                                           "must contain $pods in the braces of a selector, such as up{$pods}, so that it reads only the pods of the lease",
		"up{} # {$pods}":                               "must contain $pods in the braces of a selector, such as up{$pods}, so that it reads only the pods of the lease",
		"rate(up[$window]) + $pods":                    "must contain $pods in the braces of a selector, such as up{$pods}, so that it reads only the pods of the lease",
		`up{pod=~"$pods"}`:                             "has $pods or $window between quotes; write it without quotes, such as up{$pods}",
		"up{$pods, a='x$window'}":                      "has $pods or $window between quotes; write it without quotes, such as up{$pods}",
		"rate(up{$pods}[$__interval])":                 `has the unknown placeholder "$__interval"; the placeholders are $pods, the selector of the lease's pods, and $window, the rate window`,
		"rate(up{$pods}[${window}])":                   `has the unknown placeholder "$"; the placeholders are $pods, the selector of the lease's pods, and $window, the rate window`,
		"up{$pods,a=\"b}":                              "has a quote that does not end",
		"up{$pods,a='b\n'}":                            "has a quote that does not end",
		"sum by (namespace, pod) (up{$pods}":           "has a bracket without its counterpart",
		"sum by (namespace, pod) (rate(up{$pods}[5m))": "has a bracket without its counterpart",
	} {
		_, err := policy.New(withMetric(t, "own", query))
		if problem == "" {
			require.NoError(t, err, query)
			continue
		}
		require.EqualError(t, err, "server.autoscaling.metrics.own.query: Invalid value: "+problem, query)
	}
}

// TestQueryByPod: a query that gives several series for one pod gives a wrong number.
func TestQueryByPod(t *testing.T) {
	t.Parallel()
	for query, warns := range map[string]bool{
		"sum by (namespace, pod) (up{$pods})":             false,
		"sum(up{$pods}) by ( pod ,\nnamespace )":          false,
		"up{$pods}":                                       true,
		"sum by (namespace, pod, model) (up{$pods})":      true,
		"up{$pods} # by (namespace, pod)":                 true,
		`sum(up{$pods,a="by (namespace, pod)"}) by (pod)`: true,
	} {
		p, err := policy.New(withMetric(t, "own", query))
		require.NoError(t, err, query)
		require.Equal(t, warns, len(p.Warnings()) == 1, query)
		if warns {
			require.Equal(t, `server.autoscaling.metrics.own.query: does not contain "by (namespace, pod)": it must give one series for each pod, because prometheus-adapter adds up all series of a pod`, p.Warnings()[0])
		}
	}
}

func TestUnknownMetrics(t *testing.T) {
	t.Parallel()
	p, err := policy.New(withMetric(t, "kvCache", "sum by (namespace, pod) (up{$pods})"))
	require.NoError(t, err)
	const known = "(known here: cpuUtilization, gpuUtilization, queueTime, firstResponseTime, waitingRequests, kvCache)"
	for name, message := range map[string]string{
		"pendingRequests": `unknown metric, did you mean "waitingRequests"? ` + known,
		"kvcache":         `unknown metric, did you mean "kvCache"? ` + known,
		"first":           `unknown metric, did you mean "firstResponseTime"? ` + known,
		"gpuUtilisation":  `unknown metric, did you mean "gpuUtilization"? ` + known,
		"quueTime":        `unknown metric, did you mean "queueTime"? ` + known,
		"xyz":             "unknown metric " + known,
	} {
		_, err := p.Grant(path, request(t, fmt.Sprintf(`{enable: true, metrics: {%s: {enabled: true}}}`, name)), nil)
		require.EqualError(t, err, "leases.x.autoscaling.metrics."+name+": Forbidden: "+message)
	}
}

func TestValidMetricName(t *testing.T) {
	t.Parallel()
	for name, valid := range map[string]bool{
		"queueTime": true, "a": true, "kvCache2": true, strings.Repeat("a", 40): true, strings.Repeat("a", 41): false,
		"": false, "KvCache": false, "kv_cache": false, "kv-cache": false, "tokensTotal": false, "1a": false, "é": false,
	} {
		require.Equal(t, valid, policy.ValidMetricName(name), name)
	}
	for _, name := range policy.MetricNames() {
		require.True(t, policy.ValidMetricName(string(name)))
	}
}
