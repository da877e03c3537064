package objectrules

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
)

// odd are values that some rule refuses, and values next to them.
var odd = []any{
	-1, 0, 1, 2, 3, 30, 31, 61, 100, 101, 255, 512, 3600, 3601, 1801, 8000, 65535, 65536, 1<<31 - 1, 1 << 32,
	"", " ", "a", "A", "a.b", "a_b", "a b", "-a", "1", "0", "-1", "1.5", "500m", "1Gi", "3Mi", "2Mi", "10%", "0%", "101%", "/", "/a", "../a", "..a",
	"a/../b", "a/b", "example.com/a", "nvidia.com/gpu", "requests.cpu", "hugepages-2Mi", "None", "Always", "Never", "OnFailure", "Exists",
	"DoesNotExist", "In", "Gt", "Equal", "Localhost", "RuntimeDefault", "Unmasked", "Bidirectional", "Recreate", "UDP", "NoExecute",
	"ScheduleAnyway", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "Local", "Pods", "Object", "External", "10.0.0.1", "fd00::1", "010.0.0.1", "10.0.0.0/8",
	"10.0.0.1/8", "127.0.0.1", "metadata.labels", "metadata.labels['a']", "spec.nodeName", "limits.hugepages-2Mi", "a=b", "triton", "http", "net.a", "net/a.b/c",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	true, false, nil,
	map[string]any{},
	[]any{},
	[]any{"a", "a"},
	map[string]any{"a": "b"},
	map[string]any{"name": "a"},
}

// extra are fields that the valid objects do not have, by the field beside them.
var extra = map[string]map[string]any{
	"containers": {
		"hostNetwork": true, "hostPID": true, "hostIPC": true, "hostUsers": false, "nodeName": "node-1", "setHostnameAsFQDN": true,
		"hostnameOverride": "a.b", "activeDeadlineSeconds": 5, "serviceAccount": "A", "priority": 5,
		"resources": map[string]any{"limits": map[string]any{"cpu": "10", "memory": "100Gi"}},
	},
	"image":           {"stdin": true, "tty": true, "startupProbe": nil, "securityContext": map[string]any{"privileged": true}},
	"mountPath":       {"subPath": "a", "subPathExpr": "b", "readOnly": true, "recursiveReadOnly": "Enabled", "mountPropagation": "None"},
	"minReadySeconds": {"paused": true},
	"fieldPath":       {"apiVersion": "v1"},
	"topologyKey":     {"matchLabelKeys": []any{"app"}, "mismatchLabelKeys": []any{"app"}, "minDomains": 1},
	"failureThreshold": {
		"exec": map[string]any{"command": []any{"a"}}, "tcpSocket": map[string]any{"port": "http"}, "terminationGracePeriodSeconds": 0,
	},
	"containerPort": {"hostPort": 8000, "hostIP": "10.0.0.1", "protocol": "SCTP", "name": "http"},
	"port":          {"nodePort": 30001, "name": "grpc", "targetPort": 0},
	"selector": {
		"clusterIP": "None", "type": "NodePort", "sessionAffinity": "None", "minAvailable": 1, "healthCheckNodePort": 30003,
		"externalTrafficPolicy": "Local",
	},
}

// mutator changes an object at random.
type mutator struct {
	random *rand.Rand
	object any
}

func newMutator(seed uint64, object any) *mutator {
	return &mutator{rand.New(rand.NewPCG(seed, 0)), object}
}

// place is a value in an object, and what replaces it there.
type place struct {
	path  string
	value any
	set   func(any)
	drop  func()
}

// mutate returns a copy with one to three changes, and a description of them.
func (m *mutator) mutate() (manifest []byte, changes []string) {
	root := map[string]any{"": clone(m.object)}
	for range 1 + m.random.IntN(3)*m.random.IntN(2) {
		places := m.places(root[""], "", nil)
		if len(places) == 0 { // all fields are dropped
			break
		}
		p := places[m.random.IntN(len(places))]
		changes = append(changes, m.change(p, places))
	}
	manifest, err := json.Marshal(root[""])
	if err != nil {
		panic(err)
	}
	return manifest, changes
}

func (m *mutator) change(p place, places []place) string {
	switch m.random.IntN(6) {
	case 0:
		p.drop()
		return "drop " + p.path
	case 1: // another value of the object
		value := places[m.random.IntN(len(places))].value
		for m.random.IntN(50) > 0 && !sameType(value, p.value) {
			value = places[m.random.IntN(len(places))].value
		}
		p.set(clone(value))
		return fmt.Sprintf("set %s to %v", p.path, value)
	case 2: // repeat an item
		if list, ok := p.value.([]any); ok && len(list) > 0 {
			item := clone(list[m.random.IntN(len(list))])
			p.set(append(slices.Clone(list), item))
			return fmt.Sprintf("append to %s %v", p.path, item)
		}
	case 3: // a field that is not there
		if fields, ok := p.value.(map[string]any); ok {
			for _, beside := range slices.Sorted(maps.Keys(extra)) {
				if _, ok := fields[beside]; !ok {
					continue
				}
				names := slices.Sorted(maps.Keys(extra[beside]))
				name := names[m.random.IntN(len(names))]
				fields[name] = clone(extra[beside][name])
				return fmt.Sprintf("set %s.%s to %v", p.path, name, fields[name])
			}
		}
	}
	value := odd[m.random.IntN(len(odd))]
	for m.random.IntN(50) > 0 && !sameType(value, p.value) { // other types hardly ever decode
		value = odd[m.random.IntN(len(odd))]
	}
	p.set(clone(value))
	return fmt.Sprintf("set %s to %#v", p.path, value)
}

func sameType(a, b any) bool {
	switch a.(type) {
	case int:
		_, ok := b.(float64)
		return ok
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b)
}

// places appends the places below a node, in a fixed order. kind and apiVersion stay as
// they are.
func (m *mutator) places(node any, path string, to []place) []place {
	switch node := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			if path == "" && (key == "kind" || key == "apiVersion") || path == ".metadata" && key == "namespace" {
				continue
			}
			at := path + "." + key
			if node[key] != nil {
				to = append(to, place{at, node[key], func(v any) { node[key] = v }, func() { delete(node, key) }})
			}
			to = m.places(node[key], at, to)
		}
	case []any:
		for i, item := range node {
			at := fmt.Sprintf("%s[%d]", path, i)
			set := func(v any) { node[i] = v }
			to = append(to, place{at, item, set, func() { set(map[string]any{}) }})
			to = m.places(item, at, to)
		}
	}
	return to
}

func clone(value any) any {
	switch value := value.(type) {
	case map[string]any:
		copied := make(map[string]any, len(value))
		for key, v := range value {
			copied[key] = clone(v)
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for i, v := range value {
			copied[i] = clone(v)
		}
		return copied
	}
	return value
}
