package controller

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/budget"
	"github.com/triton-leases/tms/internal/config"
	"github.com/triton-leases/tms/internal/metric"
)

// collector computes the metrics of the controller from the cache at each scrape.
type collector struct {
	client.Reader
	configuration *config.Config

	installation string
	requests     budget.Requests

	leases, reloaded, reloadedAt, budgets, charged, limits *prometheus.Desc
}

func newCollector(reader client.Reader, configuration *config.Config, installation string) *collector {
	return &collector{
		Reader: reader, configuration: configuration, installation: installation,
		leases: metric.Leases.Desc(), reloaded: metric.ReloadSuccessful.Desc(), reloadedAt: metric.ReloadTime.Desc(),
		budgets: metric.BudgetGPUs.Desc(), charged: metric.BudgetGPUsCharged.Desc(), limits: metric.LeaseLimit.Desc(),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.leases, c.reloaded, c.reloadedAt, c.budgets, c.charged, c.limits} {
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

	c.collectLimits(metrics)

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
			counts[[3]string{condition.Type, condition.Reason, string(condition.Status)}]++
		}
	}
	for labels, count := range counts {
		metrics <- prometheus.MustNewConstMetric(c.leases, prometheus.GaugeValue, float64(count), labels[:]...)
	}
	c.collectBudgets(metrics, all.Items)
}

// collectLimits sends the limits that are set.
func (c *collector) collectLimits(metrics chan<- prometheus.Metric) {
	limits := c.configuration.LeaseRenderer().Bounds().Limits()
	send := func(name string, value float64) {
		metrics <- prometheus.MustNewConstMetric(c.limits, prometheus.GaugeValue, value, name)
	}
	send("replicas", float64(limits.Replicas))
	send("gpus", float64(limits.GPUs))
	all, perNamespace := c.configuration.LeaseRenderer().Bounds().LeaseCounts()
	for name, limit := range map[string]int64{"leases": all, "leasesPerNamespace": perNamespace} {
		if limit > 0 {
			send(name, float64(limit))
		}
	}
	for name, text := range map[string]string{"cpu": limits.CPU, "memory": limits.Memory} {
		if quantity, err := resource.ParseQuantity(text); err == nil {
			send(name, quantity.AsApproximateFloat64())
		}
	}
}

// collectBudgets sends the budgets, and what leases are charged.
func (c *collector) collectBudgets(metrics chan<- prometheus.Metric, all []v1alpha1.TritonLease) {
	renderer := c.configuration.LeaseRenderer()
	byNamespace := map[string][]*v1alpha1.TritonLease{}
	for _, namespace := range renderer.Bounds().BudgetNamespaces() {
		byNamespace[namespace] = nil
	}
	for i := range all {
		if lease := &all[i]; budget.Counts(lease, c.installation) {
			byNamespace[lease.Namespace] = append(byNamespace[lease.Namespace], lease)
		}
	}
	for namespace, leases := range byNamespace {
		current, ok := renderer.Bounds().Budget(namespace)
		if !ok {
			continue
		}
		charged := int64(0)
		for _, claim := range c.requests.Claims(renderer, namespace, leases) {
			charged += claim.Held
		}
		metrics <- prometheus.MustNewConstMetric(c.budgets, prometheus.GaugeValue, float64(current.GPUs), namespace)
		metrics <- prometheus.MustNewConstMetric(c.charged, prometheus.GaugeValue, float64(charged), namespace)
	}
}
