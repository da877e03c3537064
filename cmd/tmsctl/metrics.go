package main

import (
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
		fmt.Fprintf(&text, "\n  %-16s %s", metric.Name, metric.Description)
	}
	return text.String()
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

// parseMetric parses <metric>[=<threshold>].
func parseMetric(text string) (*tmsv1.MetricRequest, error) {
	name, number, hasThreshold := strings.Cut(text, "=")
	unit := unitOf(name)
	if unit == "" {
		if nearest := spelling.Nearest(name, metricNames()); nearest != "" {
			return nil, cli.Usagef("--autoscaling-metric %s: unknown metric, did you mean %q?", text, nearest)
		}
		return nil, cli.Usagef("--autoscaling-metric %s: unknown metric: must be one of %s", text, strings.Join(metricNames(), ", "))
	}
	enabled := true
	request := &tmsv1.MetricRequest{Metric: name, Enabled: &enabled}
	if hasThreshold {
		threshold, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, cli.Usagef("--autoscaling-metric %s: the threshold must be a whole number of %s", text, unit)
		}
		request.Threshold = &threshold
	}
	return request, nil
}
