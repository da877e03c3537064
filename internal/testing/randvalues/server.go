package randvalues

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
	d.maybe(4, s, "podAnnotations", func(d *dice) any { return pick[any](d, object{"note": "own"}, object{}, nil) })
	d.maybe(4, s, "podLabels", func(d *dice) any { return pick[any](d, object{"team": "own", "on": "1"}, nil) })
	d.maybe(4, s, "extraArgs", func(d *dice) any {
		return pick[any](d, []any{"--calls-burst=200", "--a=\"b'\n{{ c }}"}, []any{}, nil)
	})
	d.maybe(4, s, "extraEnv", func(d *dice) any {
		return pick[any](d,
			[]any{object{"name": "A", "value": "1e6\n{{ .Values }}"}, object{"name": "B", "valueFrom": object{"fieldRef": object{"fieldPath": "metadata.name"}}}},
			[]any{object{"name": "GOMEMLIMIT", "value": "off"}},
			[]any{object{"name": "A"}, object{"name": "B"}, object{"name": "A"}, object{"name": "A"}}, nil,
		)
	})
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
	d.maybe(4, a, "openCalls", func(d *dice) any {
		return pick[any](d, object{"perUser": 1, "maximum": 1000000}, object{"perUser": nil}, nil)
	})
	d.maybe(4, a, "connections", func(d *dice) any {
		return pick[any](d, object{"perAddress": 1, "maximum": 1000000}, object{"maximum": nil}, nil)
	})
	d.maybe(4, a, "tokenAudiences", func(d *dice) any { return pick[any](d, []any{"tms", "a,\"b'"}, []any{}, nil) })
	d.maybe(4, a, "clusterRole", func(d *dice) any { return pick[any](d, object{"enabled": false}, nil) })
	return a
}

// leaseBounds returns bounds of TritonLeases. Some durations are refused.
func (d *dice) leaseBounds() any {
	b := object{
		"duration":  object{"default": pick(d, "1h", "1h30m", "2h", "0s"), "maximum": pick(d, "0s", "90m")},
		"autoRenew": object{"default": !d.sometimes(2), "interval": pick(d, "2h", "90m", "10s")},
	}
	d.maybe(3, b, "allowedFields", func(d *dice) any {
		return pick[any](d, []any{"podTemplate", "service.type"}, []any{"podTemplate.spec.dnsConfig", "env", "env"}, []any{}, nil)
	})
	d.maybe(3, b, "allowedSecrets", func(d *dice) any { return pick[any](d, []any{"*"}, []any{"s3", "1"}, nil) })
	d.maybe(3, b, "allowedVolumes", func(d *dice) any { return pick[any](d, []any{"emptyDir", "csi"}, []any{}, nil) })
	d.maybe(3, b, "allowedTolerations", func(d *dice) any {
		return pick[any](d, []any{object{}}, []any{object{"key": "on", "operator": "Equal", "value": "1", "effect": "NoExecute"}}, nil)
	})
	d.maybe(3, b, "allowedTargets", func(d *dice) any { return pick[any](d, "All", "None", nil) })
	d.maybe(3, b, "podSecurityStandard", func(d *dice) any { return pick[any](d, "baseline", "privileged", nil) })
	d.maybe(3, b, "limits", func(d *dice) any {
		return object{
			"replicas": pick[any](d, 1, 2147483647, nil), "gpus": pick[any](d, 0, 1, nil),
			"cpu": pick[any](d, 0.5, "500m", 16, "1e3", nil), "memory": pick[any](d, "64Gi", "", 1e12, nil),
			"leases": pick[any](d, 1, 2147483647, nil), "leasesPerNamespace": pick[any](d, 1, nil),
		}
	})
	d.maybe(3, b, "budget", func(d *dice) any {
		return pick[any](d, object{"gpus": 0}, object{"gpus": 16, "namespaces": object{"1": object{"gpus": 4}, "a": object{}}}, nil)
	})
	return b
}
