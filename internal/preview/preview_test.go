package preview_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/preview"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

var (
	release     = render.Release{Name: "tms", Namespace: "inference"}
	renderer, _ = render.New(render.Options{})
)

// previewOf renders the TritonLeases of the last text. The other texts are values files.
func previewOf(t testing.TB, names []string, texts ...[]byte) (*render.Result, error) {
	t.Helper()
	var input render.Input
	for _, text := range texts[:len(texts)-1] {
		require.NoError(t, input.Add(text))
	}
	manifests, err := preview.Read(len(texts)-1, texts[len(texts)-1])
	require.NoError(t, err)
	return preview.Render(renderer, release, &input, manifests, names)
}

func printed(t testing.TB, result *render.Result) string {
	t.Helper()
	var text strings.Builder
	_, err := result.WriteTo(&text)
	require.NoError(t, err)
	return text.String()
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}

// TestRenderMatchesController renders the leases of the chart's ci values as TritonLeases
// and checks that the documents decode to the objects that the controller gets, no more
// and no fewer, in Helm's order.
func TestRenderMatchesController(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../charts/tms/ci/*-values.yaml")
	require.NoError(t, err)
	compared, shared := 0, 0
	for _, file := range files {
		var all struct {
			Leases map[string]map[string]any `json:"leases"`
		}
		require.NoError(t, yaml.Unmarshal(read(t, file), &all))
		for _, terms := range []map[string]any{{}, {"duration": "30m", "autoRenew": true}, {"duration": "999h", "autoRenew": false}} {
			var manifests strings.Builder
			for _, name := range slices.Sorted(maps.Keys(all.Leases)) {
				spec := maps.Clone(all.Leases[name])
				maps.Copy(spec, terms)
				for _, namespace := range []string{"", "vision"} {
					manifests.WriteString("---\n" + manifestOf(t, namespace, name, spec))
				}
			}
			given := [][]byte{
				read(t, file),
				[]byte("server: {allowlist: [example.com/proxy:1, 'amazon/aws-cli:2', 'nvcr.io/nvidia/tritonserver:26.08-trtllm-python-py3'], leases: {allowedFields: [" + strings.Join(tritonKeys(), ", ") + ", service.type, service.annotations, service.labels, service.headless], " + wide + ", duration: {default: 8h, maximum: 24h}, autoRenew: {default: false, allowed: true}}}"),
			}
			var input render.Input
			for _, text := range given {
				require.NoError(t, input.Add(text))
			}
			objects := map[string]map[string]any{} // by lease (none for shared monitoring), and by kind and name
			for _, namespace := range []string{"inference", "vision"} {
				lr, err := renderer.LeaseRenderer(render.Release{Name: release.Name, Namespace: release.Namespace, Controller: true}, &input)
				require.NoError(t, err)
				var needs render.MonitoringNeeds
				for name, spec := range all.Leases {
					lease := &v1alpha1.TritonLease{}
					lease.Name, lease.Namespace = name, namespace
					decodeInto(t, spec, &lease.Spec)
					decodeInto(t, terms, &lease.Spec)
					made, err := lr.TritonLease(lease)
					require.NoError(t, err)
					objects[namespace+"/"+name] = kinds(made)
					needs.Add(lease, &v1alpha1.Granted{Grant: made.Lease.Grant, Term: made.Lease.Term})
				}
				if lr.SharesMonitors() {
					monitoring, err := lr.Monitoring(namespace, needs)
					require.NoError(t, err)
					objects[namespace+"/"] = kinds(&render.Objects{
						PodMonitor: monitoring.PodMonitor, PrometheusRule: monitoring.PrometheusRule, MetricsRule: monitoring.MetricsRule,
					})
					shared += len(objects[namespace+"/"])
				}
			}
			if len(all.Leases) == 0 {
				continue
			}
			result, err := previewOf(t, nil, append(given, []byte(manifests.String()))...)
			require.NoError(t, err)
			require.Len(t, result.Leases, 2*len(all.Leases))
			var order []string
			for document := range result.Documents() {
				var object struct {
					metav1.ObjectMeta `json:"metadata"`
				}
				require.NoError(t, yaml.Unmarshal([]byte(document.Text), &object))
				lease := object.Namespace + "/" + object.Labels["tms.triton-leases.dev/lease"]
				wanted := objects[lease][document.Kind+" "+object.Name]
				require.NotNil(t, wanted, "%s of %s", document.Kind, lease)
				got := reflect.New(reflect.TypeOf(wanted).Elem()).Interface()
				require.NoError(t, document.Decode(got))
				require.True(t, equality.Semantic.DeepEqual(wanted, got), document.Text)
				delete(objects[lease], document.Kind+" "+object.Name)
				if len(order) == 0 || order[len(order)-1] != document.Kind {
					order = append(order, document.Kind)
				}
				compared++
			}
			for lease, rest := range objects {
				require.Empty(t, rest, lease)
			}
			require.True(t, slices.Equal(order, slices.Compact(slices.Clone(order))))
			require.Len(t, order, len(slices.Compact(slices.Sorted(slices.Values(order)))), "documents of a kind are adjacent")
		}
	}
	require.Greater(t, compared, 200)
	require.Greater(t, shared, 20)
}

func manifestOf(t testing.TB, namespace, name string, spec any) string {
	t.Helper()
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "tms.triton-leases.dev/v1alpha1", "kind": "TritonLease", "metadata": metadata, "spec": spec,
	})
	require.NoError(t, err)
	return string(text)
}

func decodeInto(t testing.TB, from, to any) {
	t.Helper()
	text, err := json.Marshal(from)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, to))
}

// kinds returns the objects of a lease by kind and name.
func kinds(o *render.Objects) map[string]any {
	all := map[string]any{}
	for _, kind := range render.Kinds() {
		if object := kind.Get(o); object != nil {
			all[kind.Kind+" "+object.GetName()] = object
		}
	}
	return all
}

var plain = map[string]any{"models": []any{map[string]any{"name": "m", "uri": "/m"}}}

// TestOrder checks that documents are ordered by kind, then by namespace and name of the
// lease.
func TestOrder(t *testing.T) {
	t.Parallel()
	text := manifestOf(t, "b", "z", plain) + "---\n" + manifestOf(t, "a", "odd", plain) + "---\n" + manifestOf(t, "a", "a", plain)
	result, err := previewOf(t, nil, []byte(text))
	require.NoError(t, err)
	var got []string
	for document := range result.Documents() {
		_, rest, _ := strings.Cut(document.Text, "  name: \"")
		name, _, _ := strings.Cut(rest, "\"")
		got = append(got, document.Kind+" "+name)
	}
	require.Equal(t, []string{"Service tms-a", "Service tms-odd", "Service tms-z", "Service tms-a-headless", "Service tms-odd-headless", "Service tms-z-headless", "Deployment tms-a", "Deployment tms-odd", "Deployment tms-z"}, got)
}

// TestRenderRefuses checks that errors of the values and of the manifests are reported at
// once, and that leases are granted only if the values are valid.
func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	greedy := map[string]any{
		"models":      plain["models"],
		"autoscaling": map[string]any{"enable": true, "replicas": map[string]any{"minimum": 5, "maximum": 2}},
	}
	text := []byte(manifestOf(t, "", "greedy", greedy) + "---\n" + manifestOf(t, "", "odd", map[string]any{"modles": 1}))
	scaling := []byte("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}")
	_, err := previewOf(t, nil, scaling, []byte("trion: {}"), text)
	var ofValues policy.Refusal
	require.ErrorAs(t, err, &ofValues)
	require.Len(t, ofValues, 1)
	require.Equal(t, "trion", ofValues[0].Field)
	var refused preview.Refusals
	require.ErrorAs(t, err, &refused)
	require.Len(t, refused, 2)
	require.Contains(t, err.Error(), "\nfile 3, line 20, column 3: inference/odd: spec.modles: Forbidden: unknown key, did you mean \"models\"?")

	_, err = previewOf(t, nil, scaling, text)
	require.False(t, errors.As(err, &ofValues))
	require.ErrorAs(t, err, &refused)
	require.Len(t, refused, 3)
	require.Equal(t, "inference/greedy", refused[0].Lease)
	require.EqualError(t, refused[0].Reason, "spec.autoscaling.replicas.minimum: Invalid value: 5: must not exceed maximum (2)")
	require.Equal(t, [3]int{1, 10, 7}, [3]int{refused[0].File, refused[0].Line, refused[0].Column})
}

// TestRenderRefusesDuplicateTarget checks that, as in the controller, only the oldest
// lease may scale a workload. A lease that is not in the cluster yet is the youngest.
func TestRenderRefusesDuplicateTarget(t *testing.T) {
	t.Parallel()
	lease := func(name, created, namespace string) string {
		return fmt.Sprintf(`---
apiVersion: tms.triton-leases.dev/v1alpha1
kind: TritonLease
metadata: {name: %s, creationTimestamp: %s, namespace: %s}
spec: {target: {name: triton, selector: {app: triton}}, autoscaling: {enable: true}}
`, name, created, namespace)
	}
	scaling := []byte("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}")
	text := lease("a", "null", "ns") + lease("b", "2026-01-02T00:00:00Z", "ns") + lease("c", "2026-01-01T00:00:00Z", "ns") + lease("d", "null", "other")
	_, err := previewOf(t, nil, scaling, []byte(text))
	require.EqualError(t, err, `file 2, line 5, column 17: ns/a: spec.target.name: Duplicate value: "triton": TritonLease c scales it already
file 2, line 10, column 17: ns/b: spec.target.name: Duplicate value: "triton": TritonLease c scales it already`)
}

// TestRenderByName selects leases by name in all namespaces, or in one.
func TestRenderByName(t *testing.T) {
	t.Parallel()
	text := []byte(manifestOf(t, "", "a", plain) + "---\n" + manifestOf(t, "b", "a", plain) + "---\n" + manifestOf(t, "b", "c", map[string]any{}))
	for only, wanted := range map[string][]string{"a": {"b/a", "inference/a"}, "b/a": {"b/a"}, "inference/a": {"inference/a"}} {
		result, err := previewOf(t, []string{only}, text)
		require.NoError(t, err)
		var got []string
		for _, lease := range result.Leases {
			got = append(got, lease.String())
			require.Equal(t, "spec", lease.Path)
		}
		require.Equal(t, wanted, got)
	}
	_, err := previewOf(t, []string{"inference/b"}, text)
	require.ErrorIs(t, err, render.ErrNoLease)
}

// TestRenderEmptyList checks that an empty list, as kubectl prints it, renders nothing:
// the leases in the values are ignored.
func TestRenderEmptyList(t *testing.T) {
	t.Parallel()
	result, err := previewOf(t, nil, []byte("leases: {a: {models: [{name: m, uri: /m}]}}"), []byte("apiVersion: v1\nkind: List\nitems: []\n"))
	require.NoError(t, err)
	require.Empty(t, slices.Collect(result.Documents()))
	require.Equal(t, "\n", printed(t, result))
	var list strings.Builder
	require.NoError(t, result.WriteJSON(&list))
	require.Contains(t, list.String(), `"items": []`)
}

// TestRenderOmitsServer checks that the objects of tms-server and extraObjects are not
// rendered, and that a lease in another namespace may have the name of tms-server. In
// the same namespace, the controller reports a conflict.
func TestRenderOmitsServer(t *testing.T) {
	t.Parallel()
	text := []byte(manifestOf(t, "elsewhere", "server", plain))
	wanted, err := previewOf(t, nil, text)
	require.NoError(t, err)
	got, err := previewOf(t, nil, []byte("images: {server: example.com/tms-server:1}\nserver: {enabled: true}\nextraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}]"), text)
	require.NoError(t, err)
	require.Equal(t, printed(t, wanted), printed(t, got))
	require.Contains(t, printed(t, got), "name: \"tms-server\"")
}

// TestExample checks that examples/lease.yaml is granted without adjustments.
func TestExample(t *testing.T) {
	t.Parallel()
	result, err := previewOf(t, nil, read(t, "../../examples/queue-time.yaml"), read(t, "../../examples/lease.yaml"))
	require.NoError(t, err)
	require.Empty(t, result.Warnings)
	require.NotEmpty(t, slices.Collect(result.Documents()))
}

// wide are bounds that allow everything that leases in the values have.
const wide = `allowedSecrets: [s3], allowedVolumes: [emptyDir, persistentVolumeClaim, configMap, secret, hostPath], allowedTolerations: [{}], podSecurityStandard: privileged, limits: {replicas: 1000}`

// tritonKeys returns all keys of triton.
func tritonKeys() []string {
	var keys []string
	for i := range reflect.TypeFor[v1alpha1.Triton]().NumField() {
		key, _, _ := strings.Cut(reflect.TypeFor[v1alpha1.Triton]().Field(i).Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}
