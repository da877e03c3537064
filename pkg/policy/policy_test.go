package policy_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/valuesfile"
	"github.com/triton-leases/tms/pkg/policy"
)

// defaults are those of NVIDIA TMS, with the metric that most leases scale by.
const defaults = `
enable: true
replicas:
  default: {minimum: 1, maximum: 5}
  limits: {maximum: 10, minimum: {lowerBound: 1, upperBound: 2}}
metrics:
  cpuUtilization: {threshold: {default: 90, minimum: 50, maximum: 100}}
  gpuUtilization: {threshold: {default: 90, minimum: 50, maximum: 100}}
  queueTime: {allowed: true, enabled: true, threshold: {default: 10000, minimum: 10000, maximum: 0}}
  firstResponseTime: {threshold: {default: 2000000, minimum: 50000, maximum: 0}}
  waitingRequests: {threshold: {default: 4, minimum: 1, maximum: 0}}
prometheus: {scrapeInterval: 15s, evaluationInterval: 15s, rateWindow: 1m}
`

// config returns the defaults with YAML laid over them.
func config(t testing.TB, overlay string) policy.Config {
	t.Helper()
	var below, above map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(defaults), &below))
	require.NoError(t, yaml.Unmarshal([]byte(overlay), &above))
	merged, err := yaml.Marshal(valuesfile.Merge(below, above))
	require.NoError(t, err)
	var c policy.Config
	require.NoError(t, yaml.UnmarshalStrict(merged, &c))
	return c
}

func request(t testing.TB, text string) v1alpha1.Autoscaling {
	t.Helper()
	var r v1alpha1.Autoscaling
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &r))
	return r
}

var (
	path = field.NewPath("leases").Child("x")
	// pod is a Triton that has all that metrics need.
	pod = &policy.Pod{CPURequest: true, GPULimit: true}
)

func TestGrant(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config, request string
		min, max        int64
		metrics         []v1alpha1.MetricThreshold
		adjustments     []string
	}{
		"nothing asked for":        {request: `{enable: true}`, min: 1, max: 5},
		"maximum within its band":  {request: `{enable: true, replicas: {maximum: 8}}`, min: 1, max: 8},
		"maximum above its band":   {request: `{enable: true, replicas: {maximum: 50}}`, min: 1, max: 10, adjustments: []string{"leases.x.autoscaling.replicas.maximum: asked 50, granted 10 (server.autoscaling.replicas.limits.maximum)"}},
		"minimum above its band":   {request: `{enable: true, replicas: {minimum: 5}}`, min: 2, max: 5, adjustments: []string{"leases.x.autoscaling.replicas.minimum: asked 5, granted 2 (server.autoscaling.replicas.limits.minimum.upperBound)"}},
		"minimum of 0":             {request: `{enable: true, replicas: {minimum: 0}}`, min: 1, max: 5, adjustments: []string{"leases.x.autoscaling.replicas.minimum: asked 0, granted 1 (server.autoscaling.replicas.limits.minimum.lowerBound)"}},
		"default minimum yields":   {config: `{replicas: {default: {minimum: 2}}}`, request: `{enable: true, replicas: {maximum: 1}}`, min: 1, max: 1, adjustments: []string{"leases.x.autoscaling.replicas.minimum: default 2, granted 1 (leases.x.autoscaling.replicas.maximum)"}},
		"default maximum yields":   {config: `{replicas: {default: {maximum: 1}}}`, request: `{enable: true, replicas: {minimum: 2}}`, min: 2, max: 2, adjustments: []string{"leases.x.autoscaling.replicas.maximum: default 1, granted 2 (leases.x.autoscaling.replicas.minimum)"}},
		"maximum below all":        {config: `{replicas: {default: {minimum: 2}, limits: {minimum: {lowerBound: 2}}}}`, request: `{enable: true, replicas: {maximum: 1}}`, min: 2, max: 2, adjustments: []string{"leases.x.autoscaling.replicas.maximum: asked 1, granted 2 (server.autoscaling.replicas.limits.minimum.lowerBound)"}},
		"no upper limit":           {request: `{enable: true, metrics: {queueTime: {threshold: 200000}}}`, min: 1, max: 5, metrics: []v1alpha1.MetricThreshold{{Metric: v1alpha1.QueueTime, Threshold: 200000}}},
		"threshold below its band": {request: `{enable: true, metrics: {queueTime: {threshold: 5}}}`, min: 1, max: 5, adjustments: []string{"leases.x.autoscaling.metrics.queueTime.threshold: asked 5, granted 10000 (server.autoscaling.metrics.queueTime.threshold.minimum)"}},
		"GPU at most 100": {
			config:      `{metrics: {gpuUtilization: {enabled: true, threshold: {maximum: 0}}, queueTime: {enabled: false}}}`,
			request:     `{enable: true, metrics: {gpuUtilization: {threshold: 150}}}`,
			min:         1,
			max:         5,
			metrics:     []v1alpha1.MetricThreshold{{Metric: v1alpha1.GPUUtilization, Threshold: 100}},
			adjustments: []string{"leases.x.autoscaling.metrics.gpuUtilization.threshold: asked 150, granted 100 (server.autoscaling.metrics.gpuUtilization.threshold.maximum)"},
		},
		"CPU may pass 100": {
			config:  `{metrics: {cpuUtilization: {enabled: true, threshold: {maximum: 0}}, queueTime: {enabled: false}}}`,
			request: `{enable: true, metrics: {cpuUtilization: {threshold: 150}}}`,
			min:     1, max: 5,
			metrics: []v1alpha1.MetricThreshold{{Metric: v1alpha1.CPUUtilization, Threshold: 150}},
		},
		"a threshold needs no permission": {
			config:  `{metrics: {queueTime: {allowed: false}}}`,
			request: `{enable: true, metrics: {queueTime: {threshold: 20000}}}`,
			min:     1, max: 5,
			metrics: []v1alpha1.MetricThreshold{{Metric: v1alpha1.QueueTime, Threshold: 20000}},
		},
		"naming what is in effect needs no permission": {
			config:  `{metrics: {queueTime: {allowed: false}}}`,
			request: `{enable: true, metrics: {queueTime: {enable: true}}}`,
			min:     1, max: 5,
		},
		"either spelling switches on": {
			config:  `{metrics: {queueTime: {enabled: false}, cpuUtilization: {enable: true}}}`,
			request: `{enable: true}`,
			min:     1, max: 5,
			metrics: []v1alpha1.MetricThreshold{{Metric: v1alpha1.CPUUtilization, Threshold: 90}},
		},
		"all metrics, in order": {
			config: `{metrics: {cpuUtilization: {allowed: true}, gpuUtilization: {enabled: true}, firstResponseTime: {enabled: true},
				tokens: {enabled: true, query: "sum by (namespace, pod) (up{$pods})", unit: tokens/s, threshold: {default: 7, minimum: 1}},
				kvCache: {enabled: true, query: "sum by (namespace, pod) (up{$pods})", unit: percent, threshold: {default: 80, minimum: 50}}}}`,
			request: `{enable: true, metrics: {cpuUtilization: {enabled: true, threshold: 60}, kvCache: {threshold: 70}}}`,
			min:     1, max: 5,
			metrics: []v1alpha1.MetricThreshold{
				{Metric: v1alpha1.CPUUtilization, Threshold: 60},
				{Metric: v1alpha1.GPUUtilization, Threshold: 90},
				{Metric: v1alpha1.QueueTime, Threshold: 10000},
				{Metric: v1alpha1.FirstResponseTime, Threshold: 2000000},
				{Metric: "kvCache", Threshold: 70},
				{Metric: "tokens", Threshold: 7},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := policy.New(config(t, test.config))
			require.NoError(t, err)
			grant, err := p.Grant(path, request(t, test.request), pod)
			require.NoError(t, err)
			require.True(t, grant.Autoscaled)
			require.Equal(t, test.min, grant.MinReplicas, "minimum")
			require.Equal(t, test.max, grant.MaxReplicas, "maximum")
			if test.metrics == nil {
				test.metrics = []v1alpha1.MetricThreshold{{Metric: v1alpha1.QueueTime, Threshold: 10000}}
			}
			require.Equal(t, test.metrics, grant.Metrics)
			require.Equal(t, test.adjustments, sentences(grant.Adjustments))
			require.Empty(t, grant.Warnings)
		})
	}
}

// sentences returns what users see of adjustments or warnings.
func sentences[T fmt.Stringer](all []T) []string {
	var texts []string
	for _, one := range all {
		texts = append(texts, one.String())
	}
	return texts
}

func TestGrantNotAutoscaled(t *testing.T) {
	t.Parallel()
	on, err := policy.New(config(t, ""))
	require.NoError(t, err)
	off, err := policy.New(config(t, `{enable: false}`))
	require.NoError(t, err)

	for _, text := range []string{`{}`, `{enable: false}`, `{enable: false, replicas: {minimum: 3, maximum: 2}}`} {
		grant, err := on.Grant(path, request(t, text), pod)
		require.NoError(t, err, text)
		require.Equal(t, v1alpha1.Grant{}, grant, text)
	}
	// If the master switch is off, the request is not checked. There is one warning.
	grant, err := off.Grant(path, request(t, `{enable: true, replicas: {minimum: 3, maximum: 2}}`), pod)
	require.NoError(t, err)
	require.Equal(t, []string{"leases.x.autoscaling.enable: autoscaling is switched off by server.autoscaling.enable"}, sentences(grant.Warnings))
	grant.Warnings = nil
	require.Equal(t, v1alpha1.Grant{}, grant)
}

func TestGrantRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config, request string
		pod             *policy.Pod
		reasons         string
	}{
		"minimum above maximum": {
			request: `{enable: true, replicas: {minimum: 3, maximum: 2}}`,
			reasons: "leases.x.autoscaling.replicas.minimum: Invalid value: 3: must not exceed maximum (2)",
		},
		"turning on what is not allowed": {
			request: `{enable: true, metrics: {cpuUtilization: {enabled: true}}}`,
			reasons: "leases.x.autoscaling.metrics.cpuUtilization.enabled: Forbidden: a lease may not turn this metric on (server.autoscaling.metrics.cpuUtilization.allowed is false)",
		},
		"turning off what is not allowed": {
			config:  `{metrics: {gpuUtilization: {enabled: true}}}`,
			request: `{enable: true, metrics: {gpuUtilization: {enable: false}}}`,
			reasons: "leases.x.autoscaling.metrics.gpuUtilization.enable: Forbidden: a lease may not turn this metric off (server.autoscaling.metrics.gpuUtilization.allowed is false)",
		},
		"a threshold of a metric that is not in effect": {
			request: `{enable: true, metrics: {cpuUtilization: {threshold: 80}}}`,
			reasons: "leases.x.autoscaling.metrics.cpuUtilization.threshold: Forbidden: the metric is not in effect for this lease; set enabled: true beside the threshold, or remove the threshold",
		},
		"no metric left": {
			request: `{enable: true, metrics: {queueTime: {enabled: false}}}`,
			reasons: "leases.x.autoscaling.metrics: Required value: no metric is in effect for this lease; turn one on here, or for all leases with server.autoscaling.metrics.<metric>.enabled",
		},
		"no metric at all": {
			config:  `{metrics: {queueTime: {enabled: false}}}`,
			request: `{enable: true}`,
			reasons: "leases.x.autoscaling.metrics: Required value: no metric is in effect for this lease; turn one on here, or for all leases with server.autoscaling.metrics.<metric>.enabled",
		},
		"two spellings that contradict each other": {
			request: `{enable: true, metrics: {queueTime: {enabled: true, enable: false}}}`,
			reasons: "leases.x.autoscaling.metrics.queueTime.enable: Invalid value: false: must not contradict enabled (true)",
		},
		"CPU without a request": {
			config:  `{metrics: {cpuUtilization: {enabled: true}}}`,
			request: `{enable: true}`,
			pod:     &policy.Pod{},
			reasons: "leases.x.triton.resources.requests.cpu: Required value: cpuUtilization is a percentage of the CPU request, and the Triton of this lease has none",
		},
		"everything at once": {
			config: `{metrics: {queueTime: {enabled: false}}}`,
			request: `{enable: true, replicas: {minimum: 3, maximum: 2},
				metrics: {cpuUtilization: {enabled: true}, gpuUtilization: {threshold: 60}}}`,
			pod: &policy.Pod{},
			reasons: `leases.x.autoscaling.replicas.minimum: Invalid value: 3: must not exceed maximum (2)
leases.x.autoscaling.metrics.cpuUtilization.enabled: Forbidden: a lease may not turn this metric on (server.autoscaling.metrics.cpuUtilization.allowed is false)
leases.x.autoscaling.metrics.gpuUtilization.threshold: Forbidden: the metric is not in effect for this lease; set enabled: true beside the threshold, or remove the threshold
leases.x.triton.resources.requests.cpu: Required value: cpuUtilization is a percentage of the CPU request, and the Triton of this lease has none`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := policy.New(config(t, test.config))
			require.NoError(t, err)
			if test.pod == nil {
				test.pod = pod
			}
			grant, err := p.Grant(path, request(t, test.request), test.pod)
			require.EqualError(t, err, test.reasons)
			require.Equal(t, v1alpha1.Grant{}, grant, "nothing is granted in part")
			var reason *field.Error
			require.ErrorAs(t, err, &reason)
		})
	}
}

// TestMetricWithoutBounds: a metric that the configuration does not name is off. The
// configuration can be of an older version.
func TestMetricWithoutBounds(t *testing.T) {
	t.Parallel()
	c := config(t, "")
	delete(c.Metrics, v1alpha1.FirstResponseTime)
	p, err := policy.New(c)
	require.NoError(t, err)
	grant, err := p.Grant(path, request(t, `{enable: true}`), pod)
	require.NoError(t, err)
	require.Len(t, grant.Metrics, 1)
	_, err = p.Grant(path, request(t, `{enable: true, metrics: {firstResponseTime: {enabled: true}}}`), pod)
	require.EqualError(t, err, "leases.x.autoscaling.metrics.firstResponseTime.enabled: Forbidden: a lease may not turn this metric on (server.autoscaling.metrics.firstResponseTime.allowed is false)")
}

func TestGrantWarns(t *testing.T) {
	t.Parallel()
	p, err := policy.New(config(t, `{metrics: {gpuUtilization: {enabled: true}}}`))
	require.NoError(t, err)

	grant, err := p.Grant(path, request(t, `{enable: true}`), &policy.Pod{FixedReplicas: true})
	require.NoError(t, err)
	require.Equal(t, []string{
		"leases.x.triton.resources.limits: gpuUtilization is in effect, but the Triton of this lease has no nvidia.com/gpu limit",
		"leases.x.triton.replicas: ignored, because the lease is autoscaled: its HorizontalPodAutoscaler owns the replica count",
	}, sentences(grant.Warnings))

	grant, err = p.Grant(path, request(t, `{enable: true, metrics: {queueTime: {threshold: 60000000}}}`), pod)
	require.NoError(t, err)
	require.Equal(t, []string{
		"leases.x.autoscaling.metrics.queueTime.threshold: 60000000 microseconds should be below server.autoscaling.prometheus.rateWindow (1m): otherwise a Triton in which no request completes is not scaled up",
	}, sentences(grant.Warnings))

	p, err = policy.New(config(t, `{metrics: {firstResponseTime: {enabled: true}, waitingRequests: {enabled: true, threshold: {default: 60000000}}}}`))
	require.NoError(t, err)
	grant, err = p.Grant(path, request(t, `{enable: true, metrics: {firstResponseTime: {threshold: 90000000}}}`), pod)
	require.NoError(t, err)
	require.Equal(t, []string{
		"leases.x.autoscaling.metrics.firstResponseTime.threshold: 90000000 microseconds should be below server.autoscaling.prometheus.rateWindow (1m): otherwise a Triton in which no request completes is not scaled up",
	}, sentences(grant.Warnings))

	// The pods of a target are not known, so there is no warning about them.
	grant, err = p.Grant(path, request(t, `{enable: true}`), nil)
	require.NoError(t, err)
	require.Empty(t, grant.Warnings)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ config, reasons string }{
		"default above the limit": {
			config:  `{replicas: {default: {maximum: 20}}}`,
			reasons: "server.autoscaling.replicas.default.maximum: Invalid value: 20: must not exceed server.autoscaling.replicas.limits.maximum (10)",
		},
		"a replica of 0": {
			config: `{replicas: {default: {minimum: 0}, limits: {minimum: {lowerBound: 0}}}}`,
			reasons: `server.autoscaling.replicas.default.minimum: Invalid value: 0: must be at least 1
server.autoscaling.replicas.limits.minimum.lowerBound: Invalid value: 0: must be at least 1`,
		},
		"bounds crossed": {
			config: `{replicas: {limits: {maximum: 3, minimum: {lowerBound: 5, upperBound: 4}}}}`,
			reasons: `server.autoscaling.replicas.limits.minimum.lowerBound: Invalid value: 5: must not exceed server.autoscaling.replicas.limits.minimum.upperBound (4)
server.autoscaling.replicas.limits.minimum.upperBound: Invalid value: 4: must not exceed server.autoscaling.replicas.limits.maximum (3)
server.autoscaling.replicas.default.minimum: Invalid value: 1: must be at least server.autoscaling.replicas.limits.minimum.lowerBound (5)
server.autoscaling.replicas.default.maximum: Invalid value: 5: must not exceed server.autoscaling.replicas.limits.maximum (3)`,
		},
		"default minimum outside its band": {
			config:  `{replicas: {default: {minimum: 3}}}`,
			reasons: "server.autoscaling.replicas.default.minimum: Invalid value: 3: must not exceed server.autoscaling.replicas.limits.minimum.upperBound (2)",
		},
		"default maximum below default minimum": {
			config:  `{replicas: {default: {minimum: 2, maximum: 1}}}`,
			reasons: "server.autoscaling.replicas.default.maximum: Invalid value: 1: must be at least server.autoscaling.replicas.default.minimum (2)",
		},
		"thresholds, though the master switch is off": {
			config: `{enable: false, metrics: {cpuUtilization: {threshold: {minimum: 0, default: 200}}, queueTime: {threshold: {default: 5}}}}`,
			reasons: `server.autoscaling.metrics.cpuUtilization.threshold.minimum: Invalid value: 0: must be at least 1
server.autoscaling.metrics.cpuUtilization.threshold.default: Invalid value: 200: must not exceed server.autoscaling.metrics.cpuUtilization.threshold.maximum (100)
server.autoscaling.metrics.queueTime.threshold.default: Invalid value: 5: must be at least server.autoscaling.metrics.queueTime.threshold.minimum (10000)`,
		},
		"a GPU busier than it can be": {
			config: `{metrics: {gpuUtilization: {threshold: {default: 110, minimum: 101, maximum: 120}}}}`,
			reasons: `server.autoscaling.metrics.gpuUtilization.threshold.default: Invalid value: 110: must not exceed 100 percent
server.autoscaling.metrics.gpuUtilization.threshold.minimum: Invalid value: 101: must not exceed 100 percent
server.autoscaling.metrics.gpuUtilization.threshold.maximum: Invalid value: 120: must not exceed 100 percent`,
		},
		"a window that loses data": {
			config:  `{prometheus: {rateWindow: 59s999ms}}`,
			reasons: `server.autoscaling.prometheus.rateWindow: Invalid value: "59s999ms": must be at least four times server.autoscaling.prometheus.scrapeInterval (15s)`,
		},
		"a series that comes and goes": {
			config:  `{prometheus: {evaluationInterval: 5m}}`,
			reasons: `server.autoscaling.prometheus.evaluationInterval: Invalid value: "5m": must be shorter than 5m, because Prometheus drops a series after 5m without a sample`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.New(config(t, test.config))
			require.EqualError(t, err, test.reasons)
		})
	}
}

func TestRuleLabels(t *testing.T) {
	t.Parallel()
	p, err := policy.New(config(t, `{prometheus: {ruleLabels: {release: a, x: "1"}, ruleLables: {release: b, x: "1", z: "2"}}}`))
	require.NoError(t, err)
	labels, warnings := p.RuleLabels()
	require.Equal(t, map[string]string{"release": "a", "x": "1", "z": "2"}, labels)
	// A label that both spellings set to the same value needs no warning.
	require.Equal(t, []string{`server.autoscaling.prometheus.ruleLables.release: "b" is overridden by server.autoscaling.prometheus.ruleLabels.release ("a")`}, warnings)

	p, err = policy.New(config(t, ""))
	require.NoError(t, err)
	labels, warnings = p.RuleLabels()
	require.Equal(t, map[string]string{"release": "prometheus"}, labels)
	require.Empty(t, warnings)

	// A spelling of TMS has no default beside it. An empty label is left out by the templates.
	for _, spelling := range []string{"ruleLabels", "ruleLables"} {
		for text, want := range map[string]map[string]string{`{team: a}`: {"team": "a"}, `{release: ""}`: {"release": ""}} {
			p, err = policy.New(config(t, "{prometheus: {"+spelling+": "+text+"}}"))
			require.NoError(t, err)
			labels, _ = p.RuleLabels()
			require.Equal(t, want, labels)
		}
	}
}

func TestDuplicateTarget(t *testing.T) {
	t.Parallel()
	require.EqualError(t, policy.DuplicateTarget(path, "triton", ""), `leases.x.target.name: Duplicate value: "triton"`)
	duplicate := policy.DuplicateTarget(field.NewPath("spec"), "triton", "vision/other")
	require.Equal(t, "spec.target.name", duplicate.Field)
	require.Equal(t, "TritonLease vision/other scales it already", duplicate.Detail)
}

func TestReasons(t *testing.T) {
	t.Parallel()
	_, err := policy.New(config(t, `{replicas: {default: {maximum: 20}}}`))
	require.Len(t, policy.Reasons(fmt.Errorf("configure: %w", err)), 1)
	require.Empty(t, policy.Reasons(fmt.Errorf("read the file")))
	require.Empty(t, policy.Reasons(nil))
}
