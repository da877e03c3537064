package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// Policy is a valid Config. Its methods are pure, and safe for concurrent use as long as
// the maps of the Config do not change.
type Policy struct {
	config  Config
	window  time.Duration
	metrics []Metric
}

// New returns the policy of a configuration. If the configuration is invalid, the error is
// a Refusal with every reason, whether or not Config.Enable is set.
func New(config Config) (*Policy, error) {
	path := field.NewPath("server", "autoscaling")
	metrics := mergeMetrics(config.Metrics)
	reasons := slices.Concat(
		validateReplicas(path.Child("replicas"), config.Replicas),
		validateMetrics(path.Child("metrics"), metrics, config.Metrics),
		validateQueries(path.Child("metrics"), metrics),
		validatePrometheus(path.Child("prometheus"), config.Prometheus),
		validateSource(path, config),
	)
	if len(reasons) > 0 {
		return nil, Refusal(reasons)
	}
	return &Policy{config: config, window: config.Prometheus.RateWindow.Value(), metrics: metrics}, nil
}

// number is one of the administrator's numbers, with its path.
type number struct {
	path  *field.Path
	value int64
}

func (n number) atLeast(bound number) *field.Error {
	if n.value >= bound.value {
		return nil
	}
	return field.Invalid(n.path, n.value, fmt.Sprintf("must be at least %s (%d)", bound.path, bound.value))
}

func (n number) atMost(bound number) *field.Error {
	if n.value <= bound.value {
		return nil
	}
	return field.Invalid(n.path, n.value, fmt.Sprintf("must not exceed %s (%d)", bound.path, bound.value))
}

func (n number) positive() *field.Error {
	if n.value >= 1 {
		return nil
	}
	return field.Invalid(n.path, n.value, "must be at least 1")
}

// validateReplicas checks the order of the administrator's numbers of replicas. None may
// be 0: a HorizontalPodAutoscaler with a minimum of 0 needs a feature gate and a metric
// that does not come from the pods.
func validateReplicas(path *field.Path, bounds ReplicaBounds) field.ErrorList {
	var (
		defaultMinimum = number{path.Child("default", "minimum"), bounds.Default.Minimum}
		defaultMaximum = number{path.Child("default", "maximum"), bounds.Default.Maximum}
		maximum        = number{path.Child("limits", "maximum"), bounds.Limits.Maximum}
		lowerBound     = number{path.Child("limits", "minimum", "lowerBound"), bounds.Limits.Minimum.LowerBound}
		upperBound     = number{path.Child("limits", "minimum", "upperBound"), bounds.Limits.Minimum.UpperBound}
	)
	return nonNil(
		defaultMinimum.positive(),
		defaultMaximum.positive(),
		maximum.positive(),
		lowerBound.positive(),
		upperBound.positive(),
		lowerBound.atMost(upperBound),
		upperBound.atMost(maximum),
		defaultMinimum.atLeast(lowerBound),
		defaultMinimum.atMost(upperBound),
		defaultMaximum.atLeast(defaultMinimum),
		defaultMaximum.atMost(maximum),
	)
}

func validateMetrics(path *field.Path, metrics []Metric, bounds map[v1alpha1.MetricName]MetricBounds) field.ErrorList {
	var reasons field.ErrorList
	for _, metric := range metrics {
		if _, configured := bounds[metric.Name]; !configured {
			continue // off, such as a new metric in a configuration of an older version
		}
		threshold := bounds[metric.Name].Threshold
		thresholdPath := path.Child(string(metric.Name), "threshold")
		var (
			defaultThreshold = number{thresholdPath.Child("default"), threshold.Default}
			minimum          = number{thresholdPath.Child("minimum"), threshold.Minimum}
			maximum          = number{thresholdPath.Child("maximum"), threshold.Maximum}
		)
		reasons = append(reasons, nonNil(minimum.positive(), defaultThreshold.atLeast(minimum))...)
		if maximum.value != 0 {
			reasons = append(reasons, nonNil(defaultThreshold.atMost(maximum))...)
		}
		if metric.Highest == 0 {
			continue
		}
		for _, n := range []number{defaultThreshold, minimum, maximum} {
			if n.value > metric.Highest {
				reasons = append(reasons, field.Invalid(n.path, n.value, fmt.Sprintf("must not exceed %d %s", metric.Highest, metric.Unit)))
			}
		}
	}
	return reasons
}

// lookback is how long a sample counts in Prometheus if no newer one comes.
const lookback = 5 * time.Minute

// validatePrometheus compares the durations. If one scrape fails, a rate over fewer than
// four scrape intervals is missing or too low. A series with a longer interval than
// lookback has gaps.
func validatePrometheus(path *field.Path, prometheus Prometheus) field.ErrorList {
	var reasons field.ErrorList
	for _, interval := range []struct {
		name  string
		value v1alpha1.Duration
	}{
		{"scrapeInterval", prometheus.ScrapeInterval},
		{"evaluationInterval", prometheus.EvaluationInterval},
	} {
		if interval.value.Value() >= lookback {
			reasons = append(reasons, field.Invalid(path.Child(interval.name), string(interval.value),
				"must be shorter than 5m, because Prometheus drops a series after 5m without a sample"))
		}
	}
	if prometheus.RateWindow.Value() < 4*prometheus.ScrapeInterval.Value() {
		reasons = append(reasons, field.Invalid(path.Child("rateWindow"), string(prometheus.RateWindow),
			fmt.Sprintf("must be at least four times %s (%s)", path.Child("scrapeInterval"), prometheus.ScrapeInterval)))
	}
	return reasons
}

// validateSource checks that KEDA knows what it needs to read Prometheus.
func validateSource(path *field.Path, config Config) field.ErrorList {
	var reasons field.ErrorList
	if config.Source != SourceKEDA {
		return nil
	}
	if config.Prometheus.Address == "" {
		reasons = append(reasons, field.Required(path.Child("prometheus", "address"), fmt.Sprintf(
			"%s is keda: set the URL at which KEDA reaches Prometheus, such as http://prometheus-operated.monitoring.svc:9090", path.Child("source"))))
	}
	if config.KEDA.AuthModes != "" && config.KEDA.AuthenticationRef.Name == "" {
		reasons = append(reasons, field.Required(path.Child("keda", "authenticationRef", "name"), fmt.Sprintf(
			"%s (%s) needs a TriggerAuthentication with the credentials", path.Child("keda", "authModes"), config.KEDA.AuthModes)))
	}
	return reasons
}

// nonNil returns the errors that are not nil.
func nonNil(errors ...*field.Error) field.ErrorList {
	return slices.DeleteFunc(errors, func(e *field.Error) bool { return e == nil })
}

// RuleLabels returns the labels of PrometheusRules: RuleLabels, merged over RuleLables, a
// spelling in the documentation of NVIDIA TMS. Without any label, it is release: prometheus, which
// the Prometheus of the chart kube-prometheus-stack selects if the release of that chart is
// named prometheus. A warning names each label that is overridden.
func (p *Policy) RuleLabels() (labels map[string]string, warnings []string) {
	path := field.NewPath("server", "autoscaling", "prometheus")
	labels = map[string]string{}
	if len(p.config.Prometheus.RuleLabels)+len(p.config.Prometheus.RuleLables) == 0 {
		labels["release"] = "prometheus"
	}
	maps.Copy(labels, p.config.Prometheus.RuleLables)
	for _, key := range slices.Sorted(maps.Keys(p.config.Prometheus.RuleLabels)) {
		value := p.config.Prometheus.RuleLabels[key]
		if overridden, ok := labels[key]; ok && overridden != value {
			warnings = append(warnings, fmt.Sprintf("%s.%s: %s is overridden by %s.%s (%s)",
				path.Child("ruleLables"), key, strconv.Quote(overridden), path.Child("ruleLabels"), key, strconv.Quote(value)))
		}
		labels[key] = value
	}
	return labels, warnings
}
