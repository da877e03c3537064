package crd_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/schema"
)

// TestSizes checks that tms-server and the API server accept lists, maps and texts of the
// largest size, and refuse them if they have one more.
func TestSizes(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(charts.TMS(), "values.schema.json")
	require.NoError(t, err)
	rules, err := schema.Compile(text)
	require.NoError(t, err)
	validate := validator(t)

	list := func(item func(i int) any) func(int) any {
		return func(n int) any {
			items := make([]any, n)
			for i := range items {
				items[i] = item(i)
			}
			return items
		}
	}
	mapOf := func(value any) func(int) any {
		return func(n int) any {
			object := map[string]any{}
			for i := range n {
				object[fmt.Sprint("key", i)] = value
			}
			return object
		}
	}
	named := list(func(i int) any { return map[string]any{"name": fmt.Sprint("n", i)} })
	maps, texts := list(func(int) any { return map[string]any{} }), list(func(int) any { return "a" })
	long := func(n int) any { return strings.Repeat("a", n) }
	one := func(key string) func(int) any {
		return func(n int) any { return []any{map[string]any{"name": "a", key: strings.Repeat("a", n)}} }
	}
	for _, test := range []struct {
		path string
		most int
		make func(n int) any
	}{
		{"models", v1alpha1.MaxModels, list(func(i int) any { return map[string]any{"name": fmt.Sprint("m", i), "uri": "/m"} })},
		{"autoscaling.metrics", v1alpha1.MaxMetrics, mapOf(map[string]any{})},
		{"service.annotations", 100, mapOf("a")},
		{"service.labels", 100, mapOf("a")},
		{"triton.args", 256, texts},
		{"triton.args", 4096, func(n int) any { return []any{long(n)} }},
		{"triton.command", 256, texts},
		{"triton.command", 4096, func(n int) any { return []any{long(n)} }},
		{"triton.env", 256, named},
		{"triton.env", 253, func(n int) any { return []any{map[string]any{"name": long(n)}} }},
		{"triton.env", 32768, one("value")},
		{"triton.envFrom", 256, list(func(int) any { return map[string]any{"configMapRef": map[string]any{"name": "a"}} })},
		{"triton.envFrom", 253, func(n int) any {
			return []any{map[string]any{"prefix": long(n), "configMapRef": map[string]any{"name": "a"}}}
		}},
		{"triton.volumes", 100, named},
		{"triton.volumeMounts", 100, list(func(int) any { return map[string]any{"name": "a", "mountPath": "/a"} })},
		{"triton.volumeMounts", 4096, one("mountPath")},
		{"triton.volumeMounts", 63, func(n int) any { return []any{map[string]any{"name": long(n), "mountPath": "/a"}} }},
		{"triton.initContainers", 32, named},
		{"triton.tolerations", 64, maps},
		{"triton.topologySpreadConstraints", 32, maps},
		{"triton.resourceClaims", 32, named},
		{"triton.resources.claims", 32, named},
		{"triton.resources.claims", 253, one("request")},
		{"triton.resources.limits", 32, mapOf("1")},
		{"triton.resources.requests", 63, func(n int) any { return map[string]any{"cpu": strings.Repeat("1", n)} }},
		{"triton.podAnnotations", 100, mapOf("a")},
		{"triton.podAnnotations", 32768, func(n int) any { return map[string]any{"a": long(n)} }},
		{"triton.podLabels", 100, mapOf("a")},
		{"triton.nodeSelector", 100, mapOf("a")},
		{"triton.priorityClassName", 253, long},
		{"triton.runtimeClassName", 253, long},
		{"triton.schedulerName", 253, long},
		{"triton.serviceAccountName", 253, long},
		{"target.selector", 100, mapOf("a")},
	} {
		for _, n := range []int{test.most, test.most + 1} {
			spec := map[string]any{"models": []any{map[string]any{"name": "m", "uri": "/m"}}}
			if strings.HasPrefix(test.path, "target") {
				spec = map[string]any{"target": map[string]any{"name": "a"}}
			}
			at, keys := spec, strings.Split(test.path, ".")
			for _, key := range keys[:len(keys)-1] {
				if at[key] == nil {
					at[key] = map[string]any{}
				}
				at = at[key].(map[string]any)
			}
			at[keys[len(keys)-1]] = test.make(n)
			refused := rules.Validate(map[string]any{"leases": map[string]any{"a": spec}})
			if n == test.most {
				require.Empty(t, refused, test.path)
				require.Empty(t, validate(spec), test.path)
				continue
			}
			require.Len(t, refused, 1, "%s %d", test.path, n)
			require.Contains(t, refused[0].Error(), fmt.Sprint(test.most), "%s: the message names the limit", test.path)
			require.True(t, strings.HasPrefix(refused[0].Field, "leases.a."+test.path), "%s: %s", test.path, refused[0].Field)
			require.NotEmpty(t, validate(spec), test.path)
		}
	}
}
