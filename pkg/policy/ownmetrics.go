package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/spelling"
)

// ownSeries is the prefix of the series of the administrator's metrics. No series of TMS
// has it.
const ownSeries = "tms_metric_"

// mergeMetrics returns the metrics of TMS, and then those that only the configuration
// has, ordered by name.
func mergeMetrics(bounds map[v1alpha1.MetricName]MetricBounds) []Metric {
	all, known := Metrics(), MetricNames()
	for _, name := range slices.Sorted(maps.Keys(bounds)) {
		if !slices.Contains(known, name) {
			all = append(all, Metric{Name: name, Unit: bounds[name].Unit, Series: ownSeries + snakeCase(string(name)), Query: bounds[name].Query})
		}
	}
	return all
}

// metricName matches names of metrics. A name must not end in Total: its series would end in
// _total, and prometheus-adapter does not serve such a series.
var metricName = regexp.MustCompile(`^[a-z][a-zA-Z0-9]{0,39}$`)

// ValidMetricName reports whether a metric can have the name, as the schema does.
func ValidMetricName(name string) bool {
	return metricName.MatchString(name) && !strings.HasSuffix(name, "Total")
}

var upperCase = regexp.MustCompile(`[A-Z]`)

// snakeCase returns kv_cache for kvCache. Different names give different results, because
// names of metrics have no underscore.
func snakeCase(name string) string {
	return strings.ToLower(upperCase.ReplaceAllString(name, "_$0"))
}

// Metrics returns all metrics that leases can scale by: those of TMS, and then those of
// the administrator, ordered by name.
func (p *Policy) Metrics() []Metric { return slices.Clone(p.metrics) }

// Warnings returns the warnings about the configuration, except those of RuleLabels.
func (p *Policy) Warnings() []string {
	var warnings []string
	for _, metric := range p.metrics {
		if bounds := p.config.Metrics[metric.Name]; bounds.Enabled && bounds.Enable != nil && !*bounds.Enable {
			warnings = append(warnings, serverMetrics+string(metric.Name)+
				".enable: false has no effect beside enabled: true: remove enable, or set enabled: false")
		}
	}
	for _, metric := range p.metrics {
		if metric.Query != "" && !byPod.MatchString(unquoted.ReplaceAllString(metric.Query, "")) {
			warnings = append(warnings, serverMetrics+string(metric.Name)+
				".query: does not contain \"by (namespace, pod)\": it must give one series for each pod, because prometheus-adapter adds up all series of a pod")
		}
	}
	return warnings
}

var (
	// unquoted matches what is not PromQL syntax: strings and comments.
	unquoted = regexp.MustCompile("\"(\\\\.|[^\"\\\\\n])*\"|'(\\\\.|[^'\\\\\n])*'|`[^`]*`|#[^\n]*")
	// inString matches a placeholder in one of these strings.
	inString    = regexp.MustCompile("^[\"'`].*\\$(pods|window)")
	quote       = regexp.MustCompile("[\"'`]")
	placeholder = regexp.MustCompile(`\$\w*`)
	noBracket   = regexp.MustCompile(`[^()\[\]{}]`)
	bracketPair = regexp.MustCompile(`\(\)|\[\]|\{\}`)
	inBraces    = regexp.MustCompile(`[{,]\s*\$pods\s*[,}]`)
	byPod       = regexp.MustCompile(`(?i)\bby\s*\(\s*(namespace\s*,\s*pod|pod\s*,\s*namespace)\s*\)`)
)

// validateQueries checks what can be known of the administrator's queries without a
// parser of PromQL.
func validateQueries(path *field.Path, metrics []Metric) field.ErrorList {
	var reasons field.ErrorList
	for _, metric := range metrics {
		if metric.Query == "" {
			continue
		}
		if problem := checkQuery(metric.Query); problem != "" {
			reasons = append(reasons, field.Invalid(path.Child(string(metric.Name), "query"), field.OmitValueType{}, problem))
		}
	}
	return reasons
}

// checkQuery returns the first problem of a query, or "".
func checkQuery(query string) string {
	for _, text := range unquoted.FindAllString(query, -1) {
		if inString.MatchString(text) {
			return "has $pods or $window between quotes; write it without quotes, such as up{$pods}"
		}
	}
	syntax := unquoted.ReplaceAllString(query, "")
	if quote.MatchString(syntax) {
		return "has a quote that does not end"
	}
	for _, name := range placeholder.FindAllString(syntax, -1) {
		if name != "$pods" && name != "$window" {
			return fmt.Sprintf("has the unknown placeholder %q; the placeholders are $pods, the selector of the lease's pods, and $window, the rate window", name)
		}
	}
	brackets := noBracket.ReplaceAllString(syntax, "")
	for bracketPair.MatchString(brackets) {
		brackets = bracketPair.ReplaceAllString(brackets, "")
	}
	if brackets != "" {
		return "has a bracket without its counterpart"
	}
	if !inBraces.MatchString(syntax) {
		return "must contain $pods in the braces of a selector, such as up{$pods}, so that it reads only the pods of the lease"
	}
	return ""
}

// didYouMean returns the part of a message that names the word that was probably meant, or "".
func didYouMean(word string, known []string) string {
	if best := spelling.Nearest(word, known); best != "" {
		return fmt.Sprintf(", did you mean %q?", best)
	}
	return ""
}

// checkNames refuses names of metrics that do not exist.
func (p *Policy) checkNames(path *field.Path, request map[v1alpha1.MetricName]v1alpha1.MetricRequest) field.ErrorList {
	var reasons field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(request)) {
		if slices.ContainsFunc(p.metrics, func(m Metric) bool { return m.Name == name }) {
			continue
		}
		var known []string
		for _, metric := range p.metrics {
			known = append(known, string(metric.Name))
		}
		reasons = append(reasons, field.Forbidden(path.Child("autoscaling", "metrics", string(name)),
			fmt.Sprintf("unknown metric%s (known here: %s)", didYouMean(string(name), known), strings.Join(known, ", "))))
	}
	return reasons
}
