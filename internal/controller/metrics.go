package controller

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
)

// collector computes the metrics of the controller from the cache at each scrape.
type collector struct {
	client.Reader
	configuration *config.Config

	leases, reloaded, reloadedAt *prometheus.Desc
}

func newCollector(reader client.Reader, configuration *config.Config) *collector {
	return &collector{
		Reader: reader, configuration: configuration,
		leases: prometheus.NewDesc("tms_leases",
			"TritonLeases, by the status and the reason of each of their conditions.", []string{"condition", "status", "reason"}, nil),
		reloaded: prometheus.NewDesc("tms_configuration_last_reload_successful",
			"Whether the last read of the configuration succeeded: 0 if it is invalid or cannot be read.", nil, nil),
		reloadedAt: prometheus.NewDesc("tms_configuration_last_reload_success_timestamp_seconds",
			"When the configuration in force was read.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.leases, c.reloaded, c.reloadedAt} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	since, err := c.configuration.InForce()
	successful := 1.0
	if err != nil {
		successful = 0
	}
	metrics <- prometheus.MustNewConstMetric(c.reloaded, prometheus.GaugeValue, successful)
	metrics <- prometheus.MustNewConstMetric(c.reloadedAt, prometheus.GaugeValue, float64(since.Unix()))

	const timeout = 5 * time.Second // a read waits until the cache is synced
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var all v1alpha1.TritonLeaseList
	if c.List(ctx, &all, client.UnsafeDisableDeepCopy) != nil {
		return // without a cache there is no series, rather than a wrong one
	}
	counts := map[[3]string]int{}
	for i := range all.Items {
		for _, condition := range all.Items[i].Status.Conditions {
			counts[[3]string{condition.Type, string(condition.Status), condition.Reason}]++
		}
	}
	for labels, count := range counts {
		metrics <- prometheus.MustNewConstMetric(c.leases, prometheus.GaugeValue, float64(count), labels[:]...)
	}
}
