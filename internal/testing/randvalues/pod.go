package randvalues

import "fmt"

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
