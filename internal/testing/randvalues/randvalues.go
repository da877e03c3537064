// Package randvalues makes values of the chart from random bytes, for tests that hold
// for any values. The schema accepts all of them. The policy refuses some, because the
// chart and pkg/policy must refuse the same.
package randvalues

import (
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
	names.maybe(6, v, "dashboards", (*dice).dashboards)
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
		v["images"] = object{"server": "example.com/nvidia/tms-server:1"}
		rest.server(server)
		rest.maybe(2, server, "apiService", (*dice).apiService)
		rest.maybe(8, server, "flowSchema", func(d *dice) any { return pick[any](d, object{"enabled": false}, nil) })
	} else {
		rest.maybe(8, server, "apiService", func(d *dice) any {
			api := d.apiService().(object)
			api["enabled"] = false
			return api
		})
	}
	rest.maybe(8, server, "leases", (*dice).leaseBounds)
	rest.maybe(4, v, "extraObjects", func(d *dice) any {
		return []any{object{
			"apiVersion": "v1", "kind": pick(d, "ConfigMap", "Service", "Deployment", "Custom"),
			"metadata": object{"name": "extra"}, "data": object{"x": "{{ 1 }}\n---\n"},
		}}
	})
	stores := d.part()
	if stores.sometimes(2) {
		server["modelRepositories"] = stores.modelRepositories()
		images, _ := v["images"].(object)
		if images == nil {
			images = object{}
		}
		images["server"] = "example.com/server:1"
		v["images"] = images
		stores.maybe(4, server, "modelDownloads", func(d *dice) any {
			return object{"sizeLimit": pick[any](d, "", "1Gi", 5.0), "maximumFiles": 7, "resources": object{"limits": object{"memory": ""}}}
		})
	}
	d.part().scheduleLeases(v, server, leases)
	return v
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

// uri returns the URI of a model. One in six needs modelRepositories, or is refused.
func (d *dice) uri() string {
	if d.sometimes(6) {
		return pick(d, fetched...)
	}
	return pick(d,
		"s3://models/vision", "/models", "gs://b/p", "as://a/c", "pvc://claim", "pvc://claim/a/b", "pvc://other/a", "s3://models/m", "/models/n/", `s3://h/{{x}}"'$(y)`, "s3://h:9000/b/x",
		"oci://example.com/a:1//m", "oci://example.com/a:1", "oci://b",
	)
}

var fetched = []string{
	"https://example.com/m", `https://example.com:8443/a.zip?"'{{x}}`,
	"repo://vision", "repo://vision/m/", "repo://text/a", "repo://archives/m", "repo://archive/a#sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	"repo://images/m", "repo://claim/a/b", "repo://claim/n", "repo://file/a", "repo://baked", "repo://fetched",
}

// modelRepositories returns named repositories of each kind, and credentials of https:// URIs.
func (d *dice) modelRepositories() any {
	r := object{
		"vision": object{"uri": pick(d, "s3://models/vision", "s3://https://h:9000/b/"), "secretName": pick(d, "s3", "other", "")},
		"text":   object{"uri": pick(d, "gs://b", "as://a/c"), "secretName": "text", "serviceAccountName": pick(d, "", "text", "1")},
		"images": object{"uri": pick(d, "oci://example.com/a:1", "oci://b//c")},
		"claim":  object{"uri": pick(d, "pvc://claim", "pvc://claim/a"), "serviceAccountName": pick(d, "", "claim")},
		"baked":  object{"uri": pick(d, "/models", "/mnt/models/claim/a/b")},
		// It is equal to a mount path.
		"fetched": object{"uri": "/mnt/fetched-models"},
	}
	d.maybe(2, r, "file", func(d *dice) any {
		return object{"uri": "s3://models", "secretName": "file", "credentialFile": pick(d, "f", "1")}
	})
	d.maybe(2, r, "archives", func(d *dice) any { return object{"uri": "https://example.com/", "secretName": pick(d, "a", "")} })
	d.maybe(2, r, "https", func(d *dice) any {
		return []any{object{"secretName": pick(d, "a", "1"), "targetUri": pick(d, "example.com", "https://example.com:8443/a")}}
	})
	return r
}

func (d *dice) models() []any {
	var models []any
	if d.sometimes(12) {
		models = append(models, object{"name": "*", "uri": "s3://models/vision"})
	}
	for range 1 + d.roll(3) - len(models) {
		models = append(models, object{
			"name": pick(d, "m", "n", "1", "true", "A_b.c-d"),
			"uri":  d.uri(),
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
