package controller

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/config"
)

// collector makes the metrics of the server out of what is in memory when they are read.
type collector struct {
	client.Reader
	configuration *config.Config

	leases, coherent, changed *prometheus.Desc
}

func newCollector(reader client.Reader, current *config.Config) *collector {
	return &collector{
		Reader: reader, configuration: current,
		leases: prometheus.NewDesc("tms_leases",
			"TritonLeases, by the status and the reason of each of their conditions.", []string{"condition", "status", "reason"}, nil),
		coherent: prometheus.NewDesc("tms_configuration_last_reload_successful",
			"Whether the configuration that was read last is in force: 0 where it is not coherent, or cannot be read.", nil, nil),
		changed: prometheus.NewDesc("tms_configuration_last_reload_success_timestamp_seconds",
			"When the configuration that is in force was read.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	since, err := c.configuration.InForce()
	good := 1.0
	if err != nil {
		good = 0
	}
	to <- prometheus.MustNewConstMetric(c.coherent, prometheus.GaugeValue, good)
	to <- prometheus.MustNewConstMetric(c.changed, prometheus.GaugeValue, float64(since.Unix()))

	const patience = 5 * time.Second // until what is in memory is complete
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all v1alpha1.TritonLeaseList
	if c.List(ctx, &all, client.UnsafeDisableDeepCopy) != nil {
		return // which the absence of the series tells
	}
	counts := map[[3]string]int{}
	for i := range all.Items {
		for _, condition := range all.Items[i].Status.Conditions {
			counts[[3]string{condition.Type, string(condition.Status), condition.Reason}]++
		}
	}
	for labels, count := range counts {
		to <- prometheus.MustNewConstMetric(c.leases, prometheus.GaugeValue, float64(count), labels[:]...)
	}
}
