package render_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/internal/valuesfile"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// withServer are values that install tms-server.
var withServer = []byte(`{server: {enabled: true}, images: {server: "registry.example.com/tms-server:0.1.0"}}`)

// configuration returns the values file in tms-server's ConfigMap.
func configuration(t testing.TB, result *render.Result) []byte {
	t.Helper()
	for document := range result.Documents() {
		if document.Source == "tms/templates/server/configmap.yaml" {
			var config corev1.ConfigMap
			require.NoError(t, document.Decode(&config))
			return []byte(config.Data["values.yaml"])
		}
	}
	t.Fatal("there is no ConfigMap of tms-server")
	return nil
}

var loaded = sync.OnceValues(func() (*helmchart.Chart, error) { return helmchart.Load(charts.TMS()) })

// effective returns the part of values files that configures TritonLeases, merged with
// the chart's defaults.
func effective(t testing.TB, files ...[]byte) map[string]any {
	t.Helper()
	chart, err := loaded()
	require.NoError(t, err)
	given := map[string]any{}
	for _, file := range files {
		var more map[string]any
		require.NoError(t, yaml.Unmarshal(file, &more))
		given = valuesfile.Merge(given, more)
	}
	merged, err := chart.Coalesce(given)
	require.NoError(t, err)
	all := merged
	for _, key := range []string{"leases", "extraObjects", "serviceAccount", "enabled", "global"} {
		delete(all, key) // TritonLeases do not have it
	}
	all["images"] = pick(merged["images"], "triton", "secrets", "pullPolicy")
	all["server"] = pick(merged["server"], "autoscaling", "leases", "allowlist")
	dashboards, _ := merged["dashboards"].(map[string]any)
	all["dashboards"] = pick(dashboards, "enabled", "grafanaUrl")
	if all["nameOverride"] == nil || all["nameOverride"] == "" {
		all["nameOverride"] = "tms" // the name of the chart
	}
	if all["fullnameOverride"] == nil {
		all["fullnameOverride"] = ""
	}
	for _, key := range []string{"kubernetes", "triton", "service", "routes", "networkPolicy", "metrics", "commonLabels"} {
		if all[key] == nil {
			all[key] = map[string]any{}
		}
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	var plain map[string]any
	require.NoError(t, json.Unmarshal(text, &plain))
	return plain
}

func pick(value any, keys ...string) map[string]any {
	picked := map[string]any{}
	for key, inner := range value.(map[string]any) {
		if slices.Contains(keys, key) {
			picked[key] = inner
		}
	}
	return picked
}

// readsTheSame renders values, and requires that the ConfigMap of tms-server has the same
// effective values. It reports whether the values are accepted.
func readsTheSame(t testing.TB, r *render.Renderer, files ...[]byte) bool {
	t.Helper()
	result, err := r.Render(release, files...)
	if err != nil {
		var refusal policy.Refusal
		require.ErrorAs(t, err, &refusal)
		return false
	}
	text := configuration(t, result)
	require.Equal(t, effective(t, files...), effective(t, text), "%s", text)

	var input render.Input
	require.NoError(t, input.Add(text), "%s", text)
	server := release
	server.Controller = true
	_, err = r.LeaseRenderer(server, &input)
	require.NoError(t, err, "%s", text)
	return true
}

// TestServerRendersTheSame checks that a lease is rendered the same with the values and
// with the ConfigMap of tms-server.
func TestServerRendersTheSame(t *testing.T) {
	t.Parallel()
	r := goPolicy
	server := release
	server.Controller = true
	lease := &v1alpha1.LeaseSpec{Models: []v1alpha1.Model{{Name: "m", URI: "/m"}}, Autoscaling: v1alpha1.Autoscaling{Enable: true}}
	objects := func(text []byte) string {
		var input render.Input
		require.NoError(t, input.Add(text))
		lr, err := r.LeaseRenderer(server, &input)
		require.NoError(t, err)
		made, err := objectsOf(lr, "a", lease)
		require.NoError(t, err)
		require.NotNil(t, made.HorizontalPodAutoscaler)
		written, err := json.Marshal(made)
		require.NoError(t, err)
		return string(written)
	}
	for _, name := range []string{"server", "server-namespaces", "platform"} {
		text := read(t, "../../charts/tms/ci/"+name+"-values.yaml")
		var input map[string]any
		require.NoError(t, yaml.Unmarshal(text, &input))
		delete(input, "leases")
		input["images"] = map[string]any{"server": "example.com/server:1", "pullPolicy": "Always"}
		input["server"].(map[string]any)["enabled"] = true
		text, err := yaml.Marshal(input)
		require.NoError(t, err)
		require.Equal(t, objects(text), objects(configuration(t, mustRender(t, r, text))))
	}
}

// TestServerConfigMap checks that the ConfigMap of tms-server has the values of the
// release.
func TestServerConfigMap(t *testing.T) {
	t.Parallel()
	r := goPolicy
	for _, name := range []string{"server", "server-namespaces"} {
		require.True(t, readsTheSame(t, r, read(t, "../../charts/tms/ci/"+name+"-values.yaml")))
	}
	same := 0
	for _, data := range seeds(80) {
		text, _ := randvalues.YAML(data)
		if readsTheSame(t, r, text, withServer) {
			same++
		}
	}
	require.Greater(t, same, 30)
	config := configuration(t, mustRender(t, r, read(t, "../../charts/tms/ci/server-values.yaml")))
	require.NotContains(t, string(config), "e+", "numbers are written as digits")
	require.NotContains(t, string(config), "resnet50", "leases in the values are not in it")
	require.NotContains(t, string(config), "logLevel", "how tms-server is deployed is not in it")
}

// TestServerConfigMapWithoutDefault removes each default, and checks that it is removed in
// the ConfigMap, too.
func TestServerConfigMapWithoutDefault(t *testing.T) {
	t.Parallel()
	var defaults map[string]any
	require.NoError(t, yaml.Unmarshal(read(t, "../../charts/tms/values.yaml"), &defaults))
	r := goPolicy
	removed := 0
	for _, path := range paths(defaults) {
		where := strings.Join(path, ".")
		if where == "server" || where == "server.enabled" {
			continue // tms-server is not installed
		}
		text := strings.Join(path, ": {") + ": null" + strings.Repeat("}", len(path)-1)
		if readsTheSame(t, r, withServer, []byte("{"+text+"}")) {
			removed++
		}
	}
	require.Greater(t, removed, 80)
}

// paths returns the paths of all keys of a map, and of the maps in it.
func paths(value map[string]any) [][]string {
	var all [][]string
	for _, key := range slices.Sorted(maps.Keys(value)) {
		all = append(all, []string{key})
		if inner, isObject := value[key].(map[string]any); isObject {
			for _, path := range paths(inner) {
				all = append(all, append([]string{key}, path...))
			}
		}
	}
	return all
}

func mustRender(t testing.TB, r *render.Renderer, files ...[]byte) *render.Result {
	t.Helper()
	result, err := r.Render(release, files...)
	require.NoError(t, err)
	return result
}

// TestServerMemoryLimit checks that GOMEMLIMIT is nine tenths of the memory limit.
func TestServerMemoryLimit(t *testing.T) {
	t.Parallel()
	r := goPolicy
	for _, limit := range []string{"1Gi", "1500000000", "1.5Gi", "700M", "512Mi", "2e9", "1e9", "4Ti", "800000k", "0.5G", `"1000000000"`} {
		container := container(t, mustRender(t, r, withServer, []byte("server: {resources: {limits: {memory: "+limit+"}}}")))
		wanted := resource.MustParse(strings.Trim(limit, `"`))
		require.Equal(t, "GOMEMLIMIT", container.Env[0].Name)
		got := resource.MustParse(container.Env[0].Value)
		require.InDelta(t, float64(wanted.Value())*0.9, float64(got.Value()), 1, limit)
	}
	for _, resources := range []string{"null", "{limits: null}", "{limits: {memory: null, cpu: 1}}", "{limits: {memory: 0}}", "{limits: {memory: 1073741824000m}}"} {
		require.Empty(t, container(t, mustRender(t, r, withServer, []byte("server: {resources: "+resources+"}"))).Env, resources)
	}
}
