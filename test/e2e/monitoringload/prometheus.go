package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/triton-leases/tms/test/e2e/promtext"
)

// cost is what a Prometheus needs for the monitoring of a fleet.
type cost struct {
	fleet fleet
	form  form
	// cpu is the number of busy cores, evaluating the time per second that the rules took,
	// and resident the memory at the end in bytes.
	cpu, evaluating, resident float64
	samples, series           float64 // samples per second
	jobs, rules               float64
}

const (
	interval = 15 * time.Second // the scrape interval and the interval of the rules
	window   = time.Minute      // the window of the rates
	periods  = 4                // the number of intervals, or of syncs, that are measured
)

// measurePrometheus measures Prometheus with the forms of the monitors in turn.
func (o options) measurePrometheus(ctx context.Context, f fleet) (costs []cost, err error) {
	e, err := o.start(ctx)
	if e != nil {
		defer func() { err = errors.Join(err, e.stop(err != nil)) }()
	}
	if err != nil {
		return nil, err
	}
	if err := e.createNamespaces(ctx, f); err != nil {
		return nil, err
	}
	for _, form := range o.forms() {
		c, err := e.measureForm(ctx, f, form)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", form.name, err)
		}
		costs = append(costs, c)
	}
	return costs, nil
}

func (e *environment) measureForm(ctx context.Context, fleet fleet, form form) (c cost, err error) {
	objects, err := e.objects(ctx, fleet, form)
	if err != nil {
		return c, err
	}
	if err := e.grow(ctx, objects, false); err != nil {
		return c, err
	}
	if err := e.replaceMonitors(ctx, fleet, objects); err != nil {
		return c, err
	}
	p, err := e.startPrometheus(ctx, objects)
	if err != nil {
		return c, err
	}
	defer kill(p)
	if err := waitSeries(ctx, "tms_avg_request_queue_duration", fleet.leases); err != nil {
		return c, err
	}
	if err := sleep(ctx, window); err != nil { // until the windows of all rules are full
		return c, err
	}
	before, err := scrapePrometheus(ctx)
	if err != nil {
		return c, err
	}
	begin := time.Now()
	if err := sleep(ctx, periods*interval); err != nil {
		return c, err
	}
	after, err := scrapePrometheus(ctx)
	if err != nil {
		return c, err
	}
	per := func(metric string) float64 {
		return (after.Sum(metric) - before.Sum(metric)) / time.Since(begin).Seconds()
	}
	if failures := after.Sum("prometheus_rule_evaluation_failures_total"); failures > 0 {
		return c, fmt.Errorf("the evaluation of %g rules failed", failures)
	}
	c = cost{
		fleet: fleet, form: form,
		cpu: per("process_cpu_seconds_total"), evaluating: per("prometheus_rule_group_duration_seconds_sum"),
		resident: after.Sum("process_resident_memory_bytes"), samples: per("prometheus_tsdb_head_samples_appended_total"),
		series: after.Sum("prometheus_tsdb_head_series"), jobs: after.Sum("prometheus_target_scrape_pools_total"), rules: after.Sum("prometheus_rule_group_rules"),
	}
	logf("%+v", c)
	return c, waitSeries(ctx, "tms_avg_request_queue_duration", fleet.leases)
}

func scrapePrometheus(ctx context.Context) (promtext.Samples, error) {
	return promtext.Scrape(ctx, "http://"+prometheusAddress+"/metrics")
}

// waitSeries waits until a metric has a number of series.
func waitSeries(ctx context.Context, metric string, n int) error {
	return waitUntil(ctx, "Prometheus has the series of all leases", func(ctx context.Context) error {
		result, err := prometheus.Query(ctx, "count("+metric+")")
		if err != nil {
			return err
		}
		if len(result) == 0 || result[0].Value[1] != strconv.Itoa(n) {
			return fmt.Errorf("%s of %d leases: %v", metric, n, result)
		}
		return nil
	})
}
