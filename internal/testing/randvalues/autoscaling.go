package randvalues

import (
	"maps"
	"slices"
)

func (d *dice) config() object {
	c := object{"enable": !d.sometimes(8)}
	d.maybe(2, c, "replicas", func(d *dice) any { return d.bounds() })
	metrics := object{
		// In most cases one metric is in effect, so that most leases are granted.
		"queueTime":      d.metric(object{"enabled": true}, 1000, 10000, 250000, 1e15),
		"cpuUtilization": d.metric(object{}, 1, 50, 100, 5000),
		"gpuUtilization": d.metric(object{}, 1, 50, 90, 100),
	}
	d.maybe(3, metrics, "firstResponseTime", func(d *dice) any { return d.metric(object{}, 50000, 2e6, 9e7) })
	d.maybe(3, metrics, "waitingRequests", func(d *dice) any { return d.metric(object{}, 1, 4, 10) })
	d.maybe(3, metrics, "kvCache", (*dice).ownMetric)
	d.maybe(6, metrics, "aB2cTime", (*dice).ownMetric)
	c["metrics"] = metrics
	d.maybe(4, c, "prometheus", func(d *dice) any {
		return object{
			"scrapeInterval":     pick(d, "15s", "5s", "1m", "1500ms", "5m"),
			"evaluationInterval": pick(d, "15s", "30s"),
			"rateWindow":         pick(d, "4m", "5m", "4m30s", "20s", "1h1m1s1ms", "0240s"),
			"ruleLabels":         object{"team": pick(d, "a", "b")},
			"ruleLables":         object{"team": "a", "release": pick[any](d, "prometheus", "other", "", nil)},
			"podMonitorLabels":   object{"team": "a", "release": pick[any](d, "other", "", nil)},
			"alerts":             object{"enabled": !d.sometimes(3)},
		}
	})
	prometheus, _ := c["prometheus"].(object)
	if prometheus == nil {
		prometheus = object{}
	}
	d.maybe(4, c, "source", func(d *dice) any { return pick[any](d, "keda", "keda", "adapter", nil) })
	if c["source"] == "keda" {
		prometheus["address"] = "http://prometheus.monitoring.svc:9090/a"
		d.maybe(6, prometheus, "address", func(d *dice) any { return pick[any](d, "", nil) })
		d.maybe(3, c, "keda", (*dice).keda)
	}
	d.maybe(2, prometheus, "monitors", func(d *dice) any { return pick(d, "", "perLease", "shared", "shared", "both") })
	c["prometheus"] = prometheus
	return c
}

// keda returns how KEDA logs in. Modes without a name are refused.
func (d *dice) keda() any {
	k := object{"authModes": pick[any](d, "bearer", "basic,tls", "", nil)}
	d.maybe(2, k, "authenticationRef", func(d *dice) any {
		return object{"name": pick(d, "prometheus", "1", ""), "kind": pick[any](d, "TriggerAuthentication", nil)}
	})
	return k
}

// ownMetric returns a metric that the administrator defines. Some queries are refused.
func (d *dice) ownMetric() any {
	m := d.metric(object{"unit": pick(d, "percent", "req/s", "a 'b' {{ c }}")}, 1, 80, 95)
	if _, ok := m["threshold"]; !ok {
		m["threshold"] = object{"default": 80, "minimum": 50}
	}
	wrong := pick(d, "up{$pods", "up", `up{pod=~"$pods"}`, "up{$pods}[$__interval]", `up{$pods,a="b}`, "((up{$pods}]", "up{a=`$window`,$pods}")
	if m["query"] = wrong; d.sometimes(12) {
		return m
	}
	m["query"] = pick(d,
		`100 * max by (namespace, pod) (nv_trt_llm_kv_cache_block_metrics{$pods, kv_cache_block_type="fraction"})`,
		"sum by (pod,namespace) (\n  rate(x{a=~\"b.*$\",$pods}[$window]) # (rate\n)\n\n",
		"  up{$pods}\n",
		`sum by(namespace, pod)(label_replace(up{ $pods }, "a", "$1", "b", '(\"[{.*)'))`,
	)
	return m
}

// scheduleLeases adds schedules to leases, and mostly tms-server, which they need.
func (d *dice) scheduleLeases(v, server, leases object) {
	scheduled := false
	for _, name := range slices.Sorted(maps.Keys(leases)) {
		request := leases[name].(object)["autoscaling"].(object)
		replicas, _ := request["replicas"].(object)
		if replicas == nil {
			replicas = object{}
		}
		d.maybe(3, replicas, "schedule", (*dice).schedule)
		if replicas["schedule"] != nil {
			request["replicas"], scheduled = replicas, true
		}
	}
	if !scheduled || d.sometimes(6) {
		return
	}
	server["enabled"] = true
	images, _ := v["images"].(object)
	if images == nil {
		images = object{}
	}
	images["server"] = "example.com/server:1"
	v["images"] = images
}

// schedule returns a schedule of a lease. Some expressions have no time.
func (d *dice) schedule() any {
	entries := make([]any, 1+d.roll(3))
	for i := range entries {
		entry := object{"cron": pick(d, "0 8 * * 1-5", "*/5 0-7,9 1 JAN sun", "@daily", "0 0 29 2 ?")}
		if d.sometimes(30) {
			entry["cron"] = "0 0 30 2 *"
		}
		d.maybe(2, entry, "timeZone", func(d *dice) any { return pick(d, "Europe/Berlin", "UTC", "Etc/GMT+5") })
		d.maybe(2, entry, "minimum", func(d *dice) any { return pick[any](d, 1, 2, 0, 3, 8) })
		d.maybe(2, entry, "maximum", func(d *dice) any { return pick[any](d, 4, 2, 1, 9, 50) })
		entries[i] = entry
	}
	return entries
}

// bounds returns bounds that are valid seven times in eight.
func (d *dice) bounds() object {
	lower := 1 + d.roll(3)
	upper := lower + d.roll(3)
	limit := upper + d.roll(10)
	minimum := lower + d.roll(upper-lower+1)
	maximum := minimum + d.roll(limit-minimum+1)
	if d.sometimes(8) {
		lower, minimum, limit = d.roll(5), d.roll(5), d.roll(12)
	}
	return object{
		"default": object{"minimum": minimum, "maximum": maximum},
		"limits":  object{"maximum": limit, "minimum": object{"lowerBound": lower, "upperBound": upper}},
	}
}

func (d *dice) metric(m object, numbers ...float64) object {
	d.maybe(3, m, "enabled", func(d *dice) any { return !d.sometimes(2) })
	d.maybe(6, m, "enable", func(d *dice) any { return !d.sometimes(2) })
	d.maybe(2, m, "allowed", func(d *dice) any { return !d.sometimes(8) })
	d.maybe(3, m, "threshold", func(d *dice) any {
		lowest := d.roll(len(numbers))
		standard := lowest + d.roll(len(numbers)-lowest)
		highest := standard + d.roll(len(numbers)-standard)
		return object{
			"minimum": numbers[lowest],
			"default": numbers[standard],
			"maximum": pick(d, 0, numbers[highest]),
		}
	})
	return m
}
