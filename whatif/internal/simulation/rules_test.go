package simulation

import (
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// ours returns the expression of tms_avg_request_queue_duration in the chart's
// PrometheusRule, for one model per pod. The simulation has no rejections, so it
// leaves out that half of the second branch.
func ours(window float64) Expression {
	return func(s *series, now float64) (float64, bool) {
		waited, _ := s.rate(queued, now, window)
		completed, known := s.rate(success, now, window)
		switch {
		case !known:
			return 0, false
		case completed > 0:
			return waited / completed, true
		case s.alwaysPending(now, window):
			return 1e6 * window, true
		default:
			return 0, true
		}
	}
}

// Rule returns the PromQL of the first recording rule in rendered manifests that has the
// given record.
func Rule(file, record string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for _, document := range strings.Split(string(text), "\n---") {
		var object struct {
			Spec struct {
				Groups []struct {
					Rules []struct{ Record, Expr string } `json:"rules"`
				} `json:"groups"`
			} `json:"spec"`
		}
		if !strings.Contains(document, "kind: PrometheusRule") {
			continue
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		for _, group := range object.Spec.Groups {
			for _, rule := range group.Rules {
				if rule.Record == record {
					return rule.Expr, nil
				}
			}
		}
	}
	return "", fmt.Errorf("%s: there is no rule %s", file, record)
}

// onprem is avg(delta(queue[30s]) / (1 + delta(success[30s]))), of deploy/k8s-onprem of Triton.
func onprem(s *series, now float64) (float64, bool) {
	waited, ok := s.delta(queued, now, 30)
	completed, _ := s.delta(success, now, 30)
	return waited / (1 + completed), ok
}

// tutorial is rate(queue[1m]) / clamp_min(rate(success[1m]), 1), of Triton's Kubernetes tutorials.
func tutorial(s *series, now float64) (float64, bool) {
	waited, ok := s.rate(queued, now, 60)
	completed, _ := s.rate(success, now, 60)
	return waited / max(completed, 1), ok
}

// supersonic is sum(rate(queue[30s])) / (sum(rate(exec_count[30s])) * 1000 + 0.001):
// one number for the fleet, in milliseconds. There are no batches here, so the
// number of executions is the number of requests.
func supersonic(fleet []*series, now float64) (milliseconds float64) {
	var waited, executed float64
	for _, s := range fleet {
		if rate, ok := s.rate(queued, now, 30); ok {
			waited += rate
		}
		if rate, ok := s.rate(success, now, 30); ok {
			executed += rate
		}
	}
	return waited / (executed*1000 + 0.001)
}
