// Package randvalues makes values of the chart from random bytes, for tests that hold
// for any values. The schema accepts all of them. The policy refuses some, because the
// chart and pkg/policy must refuse the same.
package randvalues

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

// YAML returns a values file and a release name made from the bytes. The same bytes give
// the same values. Few bytes give simple values.
func YAML(data []byte) (values []byte, release string) {
	d := &dice{data: data}
	release = pick(d.part(), "tms", "r", "my-tms-release", "a-release-name-that-is-just-as-long-as-helm-can-allow")
	text, err := yaml.Marshal(d.values())
	if err != nil {
		panic(err) // the values hold only what YAML can encode
	}
	return text, release
}

// dice turns bytes into decisions. When no byte is left, each decision is the first option.
type dice struct {
	data  []byte
	parts int // that were given away
}

func (d *dice) roll(sides int) int {
	if len(d.data) == 0 {
		return 0
	}
	n := int(d.data[0]) % sides
	d.data = d.data[1:]
	return n
}

// part returns dice with every eighth byte, so that bytes are left for the last parts.
func (d *dice) part() *dice {
	own := &dice{}
	for i := d.parts; i < len(d.data); i += 8 {
		own.data = append(own.data, d.data[i])
	}
	d.parts++
	return own
}

// sometimes returns true once in n times.
func (d *dice) sometimes(n int) bool { return d.roll(n) == n-1 }

func pick[T any](d *dice, options ...T) T { return options[d.roll(len(options))] }

type object = map[string]any

// maybe sets a key once in n times.
func (d *dice) maybe(n int, o object, key string, value func(*dice) any) {
	if d.sometimes(n) {
		o[key] = value(d)
	}
}

func (d *dice) values() object {
	server := object{"autoscaling": d.part().config()}
	v := object{"server": server}
	leases := object{}
	fleet := d.part()
	for range pick(fleet, 1, 2, 3, 0) {
		leases[pick(fleet, "a", "b", "resnet50", "0", "lease-with-a-long-name", "on", "server")] = fleet.lease()
	}
	v["leases"] = leases
	d.part().maybe(3, v, "triton", (*dice).triton)
	names := d.part()
	names.maybe(4, v, "nameOverride", func(d *dice) any { return pick(d, "triton", "tms", "") })
	names.maybe(4, v, "fullnameOverride", func(d *dice) any { return pick(d, "inference", "") })
	d.part().maybe(4, v, "kubernetes", func(d *dice) any {
		return object{
			"customLabels":      object{"team": "vision", "empty": "", "number": "1"},
			"customAnnotations": object{"note": pick(d, "plain", "{{ .Values }}", "a: b\n---\nc: \"'", "<no value>")},
			"partOf":            pick(d, "", "platform"),
		}
	})
	names.maybe(6, v, "service", (*dice).service)
	names.maybe(6, v, "commonLabels", func(d *dice) any { return object{"team": pick(d, "b", "1"), "release": "y"} })
	names.maybe(6, v, "routes", func(d *dice) any {
		return object{"parentRefs": []any{object{"name": pick(d, "public", "1")}}, "domain": "models.example.com"}
	})
	names.maybe(6, v, "metrics", func(d *dice) any { return object{"enabled": !d.sometimes(4)} })
	names.maybe(6, v, "networkPolicy", func(d *dice) any {
		return object{"enabled": true, "from": pick(d, []any{}, []any{object{"podSelector": object{}}})}
	})
	names.maybe(6, v, "serviceAccount", func(d *dice) any {
		return object{"create": !d.sometimes(3), "name": pick(d, "", "triton", "1"), "annotations": object{"role": "a: b"}}
	})
	rest := d.part()
	rest.maybe(4, v, "images", func(d *dice) any {
		return object{
			pick(d, "triton", "server", "rest", "mongodb"): "example.com/image:1",
			"sidecar": pick[any](d, nil, "x"),
			"secrets": []any{"pull"},
		}
	})
	rest.maybe(4, v, "images", func(d *dice) any {
		return object{"triton": pick(d,
			"example.com/triton:26.08-vllm-python-py3", "example.com:5000/triton:24.11-trtllm-python-py3", "example.com/triton:24.10-py3",
			"example.com/triton:23.10-py3@sha256:0123", "example.com/vllm:24.05", "example.com:22.12-x/triton",
		)}
	})
	rest.maybe(2, server, "allowlist", func(d *dice) any {
		return pick(d, []any{"example.com/other:1"}, []any{"example.com/other:1", "example.com/image:1"})
	})
	rest.maybe(8, server, "enabled", func(d *dice) any { return pick(d, true, false) })
	if server["enabled"] == true {
		v["images"] = object{"server": "example.com/server:1"}
		rest.server(server)
		rest.maybe(2, server, "apiService", (*dice).apiService)
	} else {
		rest.maybe(8, server, "apiService", func(d *dice) any {
			api := d.apiService().(object)
			api["enabled"] = false
			return api
		})
	}
	rest.maybe(8, server, "leases", func(d *dice) any {
		return object{
			"duration":  object{"default": pick(d, "1h", "1h30m", "2h", "0s"), "maximum": pick(d, "0s", "90m")},
			"autoRenew": object{"default": !d.sometimes(2), "interval": pick(d, "2h", "90m", "10s")},
		}
	})
	rest.maybe(4, v, "extraObjects", func(d *dice) any {
		return []any{object{
			"apiVersion": "v1", "kind": pick(d, "ConfigMap", "Service", "Deployment", "Custom"),
			"metadata": object{"name": "extra"}, "data": object{"x": "{{ 1 }}\n---\n"},
		}}
	})
	return v
}

// server sets and removes values of tms-server.
func (d *dice) server(s object) {
	d.maybe(2, s, "namespaces", func(d *dice) any { return pick[any](d, []any{"a", "ns"}, []any{"1", "a", "1"}, []any{}, nil) })
	d.maybe(4, s, "crd", func(d *dice) any { return pick[any](d, object{"enabled": false}, nil) })
	d.maybe(4, s, "metrics", func(d *dice) any { return pick[any](d, object{"enabled": false}, nil) })
	d.maybe(4, s, "networkPolicy", func(d *dice) any { return pick[any](d, object{"enabled": false}, nil) })
	d.maybe(4, s, "replicas", func(d *dice) any { return pick[any](d, 0, 1000740000, nil) })
	d.maybe(4, s, "logLevel", func(d *dice) any { return pick[any](d, "debug", nil) })
	d.maybe(4, s, "affinity", func(d *dice) any { return pick[any](d, object{"nodeAffinity": object{}}, nil) })
	d.maybe(4, s, "podSecurityContext", func(d *dice) any { return pick[any](d, object{"runAsUser": 1000740000}, object{"runAsUser": nil}, nil) })
	d.maybe(4, s, "resources", func(d *dice) any {
		return pick[any](d, object{"limits": object{"memory": pick[any](d, "512Mi", 1500000000, 0.5, "1e9", nil)}}, object{"limits": nil}, nil)
	})
}

// apiService returns an API that the schema accepts.
func (d *dice) apiService() any {
	a := object{"enabled": !d.sometimes(4)}
	a["tls"] = pick[any](d,
		object{"secretName": "tls"}, object{"enabled": false},
		object{"certManager": object{"issuerRef": object{"name": "company", "kind": pick[any](d, "ClusterIssuer", nil), "group": pick[any](d, "example.com", nil)}}},
		object{"certManager": object{"issuerRef": object{"name": "company"}, "dnsNames": []any{"tms.example.com", "*.example.com", "tms.example.com"}}},
		object{"enabled": false, "secretName": ""}, object{"enabled": nil, "secretName": "tls"},
	)
	d.maybe(3, a, "type", func(d *dice) any { return pick[any](d, "NodePort", "LoadBalancer", "ClusterIP", nil) })
	d.maybe(4, a, "port", func(d *dice) any { return pick(d, 30000, 32767) })
	if a["type"] != "NodePort" {
		d.maybe(4, a, "port", func(d *dice) any { return pick(d, 32768, 443) })
	}
	d.maybe(4, a, "annotations", func(d *dice) any { return object{"note": pick(d, "plain", "{{ .Values }}", "a: b\n---\nc: \"'")} })
	d.maybe(4, a, "acquireTimeout", func(d *dice) any { return pick[any](d, "90m", "1h1m1s1ms", "0h1ms", nil) })
	d.maybe(4, a, "callsPerSecond", func(d *dice) any { return pick[any](d, 1, 1000000, nil) })
	d.maybe(4, a, "clusterRole", func(d *dice) any { return pick[any](d, object{"enabled": false}, nil) })
	return a
}

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
	return c
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

func (d *dice) lease() object {
	l := object{}
	if d.sometimes(4) {
		l["target"] = d.target()
	} else {
		l["models"] = d.models()
		d.maybe(3, l, "triton", (*dice).triton)
		d.maybe(6, l, "service", (*dice).service)
		d.maybe(12, l, "image", func(d *dice) any { return pick(d, "example.com/other:1", "example.com/image:1") })
	}
	request := object{"enable": !d.sometimes(6)}
	d.maybe(2, request, "replicas", func(d *dice) any {
		r := object{}
		d.maybe(3, r, "minimum", func(d *dice) any { return pick[any](d, 1, 2, 0, 3, 8) })
		d.maybe(2, r, "maximum", func(d *dice) any { return pick[any](d, 4, 2, 1, 0, 9, 50, 2147483647) })
		return r
	})
	metrics := object{}
	for _, name := range []string{"queueTime", "cpuUtilization", "gpuUtilization", "firstResponseTime", "waitingRequests", "kvCache", "queueTim", "cp", "xyz"} {
		often := map[string]int{"queueTime": 2, "kvCache": 10, "queueTim": 60, "cp": 60, "xyz": 60}[name] // queueTime is mostly in effect
		if often == 0 {
			often = 6
		}
		d.maybe(often, metrics, name, func(d *dice) any {
			m := object{}
			d.maybe(4, m, "enabled", func(d *dice) any { return !d.sometimes(4) })
			d.maybe(12, m, "enable", func(d *dice) any { return !d.sometimes(3) })
			d.maybe(2, m, "threshold", func(d *dice) any {
				return pick[any](d, 60, 90, 10000, 0, 1, 101, 200000, 1e6, 2147483647)
			})
			return m
		})
	}
	if len(metrics) > 0 {
		request["metrics"] = metrics
	}
	l["autoscaling"] = request
	return l
}

func (d *dice) models() []any {
	var models []any
	if d.sometimes(12) {
		models = append(models, object{"name": "*", "uri": "s3://models/vision"})
	}
	for range 1 + d.roll(3) - len(models) {
		models = append(models, object{
			"name": pick(d, "m", "n", "1", "true", "A_b.c-d"),
			"uri":  pick(d, "s3://models/vision", "/models", "gs://b/p", "as://a/c", "pvc://claim", "pvc://claim/a/b", "pvc://other/a", `s3://h/{{x}}"'$(y)`, "s3://h:9000/b/x"),
		})
	}
	return models
}

func (d *dice) target() object {
	t := object{"name": pick(d, "legacy", "a.b", "c", "d"), "selector": object{"app": pick(d, "triton", "on", "1")}}
	d.maybe(3, t, "kind", func(d *dice) any { return pick(d, "StatefulSet", "Deployment") })
	d.maybe(3, t, "apiVersion", func(d *dice) any { return pick(d, "apps/v1", "argoproj.io/v1alpha1") })
	d.maybe(3, t, "metricsPort", func(d *dice) any { return pick[any](d, "http-metrics", "8002x", 8002) })
	d.maybe(3, t, "container", func(*dice) any { return "server" })
	return t
}

// arguments returns arguments of Triton. Some contradict the chart or a metric.
func (d *dice) arguments() any {
	var all []any
	for range 1 + d.roll(2) {
		all = append(all, pick[any](d,
			"--metrics-config=summary_latencies=true", "--metrics-config", "counter_latencies=false", "--metrics-c=counter_latencies=0",
			"--metrics-config=histogram_latencies=False", "--allow-gpu-metrics=false", "--allow-gp", "false", "--allow-metrics=true", "--",
			"--allow-m=0", "--http-po=1", "--http", "--model-control-mode=poll", "--load-model", "--exit-timeout-secs=5", "--reuse-http-port=1", "--=",
		))
	}
	return all
}

func (d *dice) triton() any {
	t := object{}
	d.maybe(3, t, "resources", func(d *dice) any {
		r := object{}
		d.maybe(2, r, "requests", func(d *dice) any { return object{"cpu": pick[any](d, "500m", 2, 0, "0", 0.5, "0.0", "1e3")} })
		d.maybe(2, r, "limits", func(d *dice) any {
			return object{pick(d, "nvidia.com/gpu", "cpu", "memory", "nvidia.com/mig-1g.5gb"): pick[any](d, 1, "1", 0, "0")}
		})
		return r
	})
	d.maybe(4, t, "replicas", func(d *dice) any { return d.roll(4) })
	d.maybe(4, t, "args", func(d *dice) any { return []any{"--log-verbose=1", pick(d, "", "a\nb", "{{ x }}", "\"'")}[d.roll(2):] })
	d.maybe(12, t, "args", (*dice).arguments)
	d.maybe(4, t, "env", func(d *dice) any { return []any{object{"name": "A", "value": pick(d, "", "on", "1", "a: b\n---")}} })
	d.maybe(4, t, "sharedMemorySize", func(d *dice) any { return pick[any](d, "2Gi", 1073741824, 0.5) })
	d.maybe(4, t, "podDisruptionBudget", func(d *dice) any {
		return pick(d, object{"minAvailable": 1}, object{"maxUnavailable": "50%"}, object{"minAvailable": 0}, object{})
	})
	d.maybe(4, t, "strategy", func(d *dice) any {
		return pick[any](d, object{"type": "Recreate"}, object{"rollingUpdate": object{"maxSurge": 0, "maxUnavailable": 1}}, object{})
	})
	d.maybe(4, t, "nodeSelector", func(d *dice) any { return object{"zone": pick(d, "1", "on")} })
	d.maybe(4, t, "probes", func(d *dice) any { return object{"startup": object{"failureThreshold": 1 + d.roll(100)}} })
	d.maybe(4, t, "podSecurityContext", func(d *dice) any { return object{"runAsUser": pick[any](d, 1000740000, 0)} })
	d.maybe(4, t, "volumes", func(d *dice) any {
		return []any{object{"name": fmt.Sprintf("v%d", d.roll(3)), "emptyDir": object{}}}
	})
	d.maybe(4, t, "terminationGracePeriodSeconds", func(d *dice) any { return 16 + d.roll(100) })
	if d.sometimes(3) {
		d.pod(t)
	}
	return t
}

// pod sets values of the pod that few leases name. Some are refused: names that occur
// twice, mounts of unknown volumes, and a grace period that is too short.
func (d *dice) pod(t object) {
	d.maybe(3, t, "command", func(d *dice) any { return []any{"mpirun", "-n", "2", pick(d, "tritonserver", "on", "{{ x }}")} })
	d.maybe(3, t, "imagePullPolicy", func(d *dice) any { return pick(d, "Always", "") })
	d.maybe(3, t, "envFrom", func(d *dice) any {
		return []any{object{pick(d, "secretRef", "configMapRef"): object{"name": pick(d, "s3", "1")}}}
	})
	d.maybe(4, t, "env", func(d *dice) any {
		return []any{object{"name": "A", "value": "1"}, object{"name": pick(d, "B", "A"), "value": "2"}}
	})
	d.maybe(3, t, "lifecycle", func(d *dice) any {
		return pick[any](d, object{"preStop": object{"sleep": object{"seconds": 1 + d.roll(40)}}}, object{"preStop": object{"exec": object{"command": []any{"sleep", "5"}}}},
			object{}, object{"preStop": object{"sleep": object{"seconds": ""}}})
	})
	d.maybe(4, t, "terminationGracePeriodSeconds", func(d *dice) any { return d.roll(40) })
	d.maybe(3, t, "initContainers", func(d *dice) any {
		return []any{object{"name": "a", "image": "example.com/a:1"}, object{"name": pick(d, "b", "a"), "image": "1"}}
	})
	d.maybe(3, t, "volumeMounts", func(d *dice) any {
		return []any{
			object{"name": pick(d, "v0", "shm", "models-0", "unknown"), "mountPath": pick(d, "/a", "/dev/shm", "/dev/shm/", "/mnt/models/claim")},
			object{"name": "shm", "mountPath": pick(d, "/b", "/a", "/a/")},
		}
	})
	for _, name := range []string{"podAnnotations", "podLabels"} {
		d.maybe(3, t, name, func(d *dice) any { return object{"team": pick(d, "a", "1", ""), "example.com/x": "y"} })
	}
	for _, name := range []string{"runtimeClassName", "schedulerName", "priorityClassName"} {
		d.maybe(4, t, name, func(d *dice) any { return pick(d, "nvidia", "1", "") })
	}
	d.maybe(4, t, "hostIPC", func(d *dice) any { return !d.sometimes(2) })
	d.maybe(4, t, "connectionAgeSeconds", func(d *dice) any { return pick(d, 0, 5, 86400) })
	d.maybe(4, t, "securityContext", func(d *dice) any {
		return pick[any](d, object{"capabilities": object{"add": []any{"SYS_NICE"}}}, object{"capabilities": object{"drop": ""}, "allowPrivilegeEscalation": ""})
	})
	d.maybe(3, t, "podTemplate", func(d *dice) any { return d.podTemplate() })
}

// podTemplate returns a part of a pod that meets most rules of the overlay: items that
// are merged, replaced and appended.
func (d *dice) podTemplate() object {
	container := object{"name": pick(d, "triton", "sidecar", "1")}
	d.maybe(2, container, "env", func(d *dice) any { return []any{object{"name": pick(d, "A", "C"), "value": pick(d, "x", "1", "on")}} })
	d.maybe(2, container, "volumeMounts", func(d *dice) any {
		return []any{object{"name": "shm", "mountPath": pick(d, "/c", "/dev/shm", "/mnt/models/claim"), "readOnly": true}}
	})
	d.maybe(2, container, "ports", func(d *dice) any { return []any{object{"containerPort": pick(d, 8001, 9000), "name": "x"}} })
	spec := object{"containers": []any{container}}
	d.maybe(2, spec, "volumes", func(d *dice) any { return []any{object{"name": pick(d, "shm", "v0", "w"), "emptyDir": object{}}} })
	d.maybe(2, spec, "tolerations", func(*dice) any { return []any{object{"operator": "Exists"}} })
	d.maybe(2, spec, "securityContext", func(d *dice) any {
		return object{"runAsUser": pick[any](d, 1000740000, 1), "supplementalGroups": []any{1e6}}
	})
	return object{"metadata": object{"labels": object{"x": pick(d, "1", "on", "a")}}, "spec": spec}
}

// service sets values of the Service of a lease.
func (d *dice) service() any {
	s := object{}
	d.maybe(2, s, "type", func(d *dice) any { return pick(d, "LoadBalancer", "NodePort", "ClusterIP") })
	d.maybe(2, s, "headless", func(d *dice) any { return d.sometimes(2) })
	d.maybe(3, s, "annotations", func(d *dice) any { return object{"note": pick(d, "plain", "{{ .Values }}", "a: b\n---\nc: \"'")} })
	d.maybe(3, s, "labels", func(d *dice) any { return object{"team": pick(d, "a", "1", ""), "release": "x"} })
	return s
}
