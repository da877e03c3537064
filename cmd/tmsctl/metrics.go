package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	tmsv1 "github.com/triton-leases/tms/api/tms/v1"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/spelling"
	"github.com/triton-leases/tms/pkg/policy"
)

func metricNames() []string {
	var names []string
	for _, name := range policy.MetricNames() {
		names = append(names, string(name))
	}
	return names
}

// metricUsage lists the metrics and their units for a flag's usage.
func metricUsage() string {
	var usage []string
	for _, metric := range policy.Metrics() {
		usage = append(usage, fmt.Sprintf("%s (%s)", metric.Name, metric.Unit))
	}
	return strings.Join(usage, ", ")
}

// metricDescriptions lists the metrics and their meaning, one a line, for a help text.
func metricDescriptions() string {
	var text strings.Builder
	for _, metric := range policy.Metrics() {
		fmt.Fprintf(&text, "\n  %-18s %s", metric.Name, metric.Description)
	}
	return text.String() + "\nThe administrator can define other metrics."
}

// unitOf returns the unit of a metric, and "" for a metric that this tmsctl does not know.
func unitOf(name string) string {
	for _, metric := range policy.Metrics() {
		if string(metric.Name) == name {
			return string(metric.Unit)
		}
	}
	return ""
}

// checkMetricName refuses a name that no metric can have, and another spelling of a metric
// of TMS. tms-server refuses other unknown names: it knows the metrics of the administrator.
func checkMetricName(name string) error {
	for _, known := range metricNames() {
		if name != known && strings.EqualFold(name, known) {
			return fmt.Errorf("unknown metric, did you mean %q?", known)
		}
	}
	if policy.ValidMetricName(name) {
		return nil
	}
	if nearest := spelling.Nearest(name, metricNames()); nearest != "" {
		return fmt.Errorf("unknown metric, did you mean %q?", nearest)
	}
	return fmt.Errorf("must be one of %s, or a metric of the administrator", strings.Join(metricNames(), ", "))
}

// parseMetric parses <metric>[=<threshold>].
func parseMetric(text string) (*tmsv1.MetricRequest, error) {
	name, number, hasThreshold := strings.Cut(text, "=")
	if err := checkMetricName(name); err != nil {
		return nil, cli.Usagef("--autoscaling-metric %s: %s", text, err)
	}
	enabled := true
	request := &tmsv1.MetricRequest{Metric: name, Enabled: &enabled}
	if hasThreshold {
		threshold, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, cli.Usagef("--autoscaling-metric %s: the threshold must be a whole number of %s", text, cmp.Or(unitOf(name), "the metric's unit"))
		}
		request.Threshold = &threshold
	}
	return request, nil
}
