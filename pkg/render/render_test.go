package render_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

const queueTime = "../../charts/tms/ci/queue-time-values.yaml"

func TestLaterFilesWin(t *testing.T) {
	t.Parallel()
	r := goPolicy
	result, err := r.Render(release, read(t, queueTime),
		[]byte(`leases: {resnet50: {autoscaling: {replicas: {maximum: 3}}}}`),
		[]byte(``),
		[]byte(`leases: {resnet50: {autoscaling: {replicas: {minimum: 2}}}}`))
	require.NoError(t, err)
	grant := result.Leases[0].Grant
	require.Equal(t, []int64{2, 3}, []int64{grant.MinReplicas, grant.MaxReplicas})
}

func TestRenderRefusesFiles(t *testing.T) {
	t.Parallel()
	for text, message := range map[string]string{
		"- a":                              "values file 2: line 1, column 1: a values file must be a mapping of keys to values",
		"a: [":                             "values file 2: line 2, column 1: a value is missing, or a bracket is not closed",
		"leases: {}\n---\nleases: {a: {}}": "values file 2: line 2, column 1: a second YAML document begins here: put each document in its own file, and give each file with -f",
		"a: 1\na: 2":                       `values file 2: line 2, column 1: duplicate key "a", first in line 1: remove one of the two`,
	} {
		_, err := goPolicy.Render(release, nil, []byte(text))
		require.EqualError(t, err, message)
	}
}

func TestReleaseNames(t *testing.T) {
	t.Parallel()
	for _, r := range []*render.Renderer{goPolicy, chartPolicy} {
		_, err := r.Render(render.Release{Name: "Not A Name", Namespace: `ns"} or vector(1)`})
		require.EqualError(t, err, `release name: Invalid value: "Not A Name": must be lower-case letters, digits, '-' and '.', at most 53 characters
namespace: Invalid value: "ns\"} or vector(1)": must be a DNS label of at most 63 characters`)
	}
	// Helm allows a dot in the name of a release, a Service does not.
	_, err := goPolicy.Render(render.Release{Name: "a.b", Namespace: "ns"}, read(t, queueTime))
	var refusal policy.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "leases.resnet50", refusal[0].Field)
}

func TestLease(t *testing.T) {
	t.Parallel()
	r := goPolicy
	objects, err := r.Lease(release, "resnet50", read(t, queueTime), []byte(`triton: {podDisruptionBudget: {minAvailable: 1}}`))
	require.NoError(t, err)
	require.Equal(t, "resnet50", objects.Lease.Name)
	require.Nil(t, objects.Deployment.Spec.Replicas, "the autoscaler owns the replicas")
	require.Equal(t, "tms-resnet50", objects.Service.Name)
	require.Equal(t, int32(4), objects.HorizontalPodAutoscaler.Spec.MaxReplicas)
	require.Equal(t, objects.Deployment.Name, objects.HorizontalPodAutoscaler.Spec.ScaleTargetRef.Name)
	require.Equal(t, objects.Deployment.Spec.Template.Spec.Containers[0].Ports[2].Name, *objects.PodMonitor.Spec.PodMetricsEndpoints[0].Port)
	require.Equal(t, objects.Deployment.Spec.Selector.MatchLabels, objects.PodMonitor.Spec.Selector.MatchLabels)
	require.Equal(t, "prometheus", objects.PrometheusRule.Labels["release"])
	require.Equal(t, 1, objects.PodDisruptionBudget.Spec.MinAvailable.IntValue())

	_, err = r.Lease(release, "resnet", read(t, queueTime))
	require.ErrorIs(t, err, render.ErrNoLease)
	require.EqualError(t, err, `no such lease: "resnet", did you mean "resnet50"? (known here: resnet50)`)

	_, err = r.Lease(release, "resnet50", read(t, queueTime), []byte(`triton: {affinity: {podAfinity: {}}}`))
	require.EqualError(t, err, "triton.affinity.podAfinity: Forbidden: Kubernetes has no such field")
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	r := goPolicy
	wanted, err := r.Render(release, read(t, queueTime))
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, err := r.Render(release, read(t, queueTime))
			if assert.NoError(t, err) {
				assert.Equal(t, slices.Collect(wanted.Documents()), slices.Collect(got.Documents()))
			}
		})
	}
	all.Wait()
}

// TestRenderValuesKeepsValues checks that RenderValues does not change its argument.
func TestRenderValuesKeepsValues(t *testing.T) {
	t.Parallel()
	values := map[string]any{"leases": map[string]any{"a": map[string]any{
		"models": []any{map[string]any{"name": "m", "uri": "/models"}},
	}}}
	for _, r := range []*render.Renderer{goPolicy, chartPolicy} {
		_, err := r.RenderValues(release, values)
		require.NoError(t, err)
		require.Len(t, values, 1)
		require.Len(t, values["leases"].(map[string]any)["a"], 1)
	}
}

func TestSkipTests(t *testing.T) {
	t.Parallel()
	result, err := goPolicy.Render(release, read(t, "../../charts/tms/ci/release-values.yaml"))
	require.NoError(t, err)
	before := len(slices.Collect(result.Documents()))
	result.SkipTests()
	after := slices.Collect(result.Documents())
	require.Len(t, after, before-1)
	last := after[len(after)-1]
	require.True(t, last.Hook, "other hooks are kept")
}

// TestForeignChart checks that another chart is rendered with its own policy.
func TestForeignChart(t *testing.T) {
	t.Parallel()
	chart := fstest.MapFS{
		"Chart.yaml":            {Data: []byte("apiVersion: v2\nname: other\nversion: 1.0.0\n")},
		"values.yaml":           {Data: []byte("a: 1\n")},
		".helmignore":           {Data: []byte("*.bak\n")},
		"templates/x.yaml":      {Data: []byte("kind: Z\nmetadata: {name: z}\n---\nkind: ConfigMap\nmetadata: {name: {{ .Values.a }}}\n")},
		"templates/x.yaml.bak":  {Data: []byte("{{ fail \"ignored\" }}")},
		"templates/_policy.tpl": {Data: []byte(`{{ define "tms.grants" }}its own{{ end }}`)},
		"templates/NOTES.txt":   {Data: []byte("Hello.\nWARNING: {{ include \"tms.grants\" . }}\n")},
	}
	r, err := render.New(render.Options{Chart: chart})
	require.NoError(t, err)
	result, err := r.Render(release, []byte(`a: 2`))
	require.NoError(t, err)
	require.Equal(t, "---\n# Source: other/templates/x.yaml\nkind: ConfigMap\nmetadata: {name: 2}\n---\n# Source: other/templates/x.yaml\nkind: Z\nmetadata: {name: z}\n", printed(t, result))
	require.Equal(t, []string{"its own"}, result.Warnings)

	chart["Chart.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v2\nname: other\nversion: 1.0.0\ndependencies: [{name: x, version: 1.0.0}]\n")}
	_, err = render.New(render.Options{Chart: chart})
	require.EqualError(t, err, "load chart: it has dependencies; render it with helm template")
}

func TestKubeVersion(t *testing.T) {
	t.Parallel()
	for version, message := range map[string]string{
		"v1.30.0": "",
		"1.37":    "",
		"v1.29.9": "chart requires kubeVersion: >=1.30.0-0 || 1.20.0 which is incompatible with Kubernetes v1.29.9",
		"new":     `kubernetes version "new": must be a version such as v1.37.0`,
	} {
		_, err := render.New(render.Options{KubeVersion: version})
		if message == "" {
			require.NoError(t, err, version)
		} else {
			require.EqualError(t, err, message)
		}
	}
}

// TestUnprintable checks that characters that Helm cannot write as YAML are refused
// everywhere, even in keys. A line separator would end a block scalar. With a control
// character, Helm writes nothing at all.
func TestUnprintable(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\u2028", "a\n\u2029b", "\u0000", "\x7f", "\u0085", "\uffff"} {
		for _, values := range []map[string]any{
			{"triton": map[string]any{"args": []any{text}}},
			{"triton": map[string]any{"affinity": map[string]any{"deep": []any{map[string]any{text: 1.0}}}}},
			{"kubernetes": map[string]any{"customAnnotations": map[string]any{"a": text}}},
			{"extraObjects": []any{map[string]any{"apiVersion": "v1", "kind": "X", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"x": text}}}},
			{"global": map[string]any{"x": text}},
		} {
			for _, r := range []*render.Renderer{goPolicy, chartPolicy} {
				_, err := r.RenderValues(release, values)
				require.ErrorContains(t, err, "must not contain control characters or Unicode line separators", "%q", values)
			}
		}
	}
}

// TestHostileStrings checks that strings that the schema accepts are quoted everywhere.
func TestHostileStrings(t *testing.T) {
	t.Parallel()
	hostile := []string{
		`"`, `'`, `\`, "\n---\nkind: Secret\n", "{{ .Values.images }}", "{{ fail \"x\" }}", "$(HOME)", "a: b", "# c",
		"on", "1e3", "~", "\t", "\r", "<no value>", "HELM_ERR_START x HELM_ERR_END", "}}", "`",
	}
	for _, text := range hostile {
		values := map[string]any{
			"kubernetes": map[string]any{"customAnnotations": map[string]any{"example.com/note": text}},
			"triton": map[string]any{
				"args": []any{text}, "podAnnotations": map[string]any{"example.com/own": text},
				"env": []any{map[string]any{"name": "A", "value": text}},
			},
			"leases": map[string]any{
				"a": map[string]any{"models": []any{map[string]any{"name": "m", "uri": "/models"}}},
				"b": map[string]any{
					"models":  []any{map[string]any{"name": "m", "uri": "/models"}},
					"service": map[string]any{"annotations": map[string]any{"example.com/own": text}},
					"triton": map[string]any{"command": []any{text}, "podTemplate": map[string]any{"spec": map[string]any{
						"containers": []any{map[string]any{"name": "triton", "workingDir": text}},
					}}},
				},
			},
		}
		result, err := goPolicy.RenderValues(release, values)
		require.NoError(t, err, "%q", text)
		decodesStrictly(t, result)
		require.Len(t, slices.Collect(result.Documents()), 7, "%q adds a document", text)
		byChart, err := chartPolicy.RenderValues(release, values)
		require.NoError(t, err)
		golden.Same(t, printed(t, byChart), printed(t, result), "the chart's own policy renders something else")
		if strings.Contains(text, "<no value>") {
			continue // Helm's engine removes it from everything that it renders
		}
		require.Contains(t, container(t, result).Args, text)
		require.Equal(t, text, container(t, result).Env[0].Value)
	}
}

func TestEmbeddedChartIsComplete(t *testing.T) {
	t.Parallel()
	disk, err := render.New(render.Options{Chart: os.DirFS("../../charts/tms")})
	require.NoError(t, err)
	embedded, err := render.New(render.Options{Chart: charts.TMS()})
	require.NoError(t, err)
	for _, file := range []string{queueTime, "../../charts/tms/ci/pod-values.yaml"} {
		a, err := disk.Render(release, read(t, file))
		require.NoError(t, err)
		b, err := embedded.Render(release, read(t, file))
		require.NoError(t, err)
		require.Equal(t, printed(t, a), printed(t, b))
	}
}

func TestWriteToOnlyHooks(t *testing.T) {
	t.Parallel()
	values := []byte(`extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: h, annotations: {helm.sh/hook: pre-install}}}]`)
	result, err := goPolicy.Render(release, values)
	require.NoError(t, err)
	require.Regexp(t, "^\n---\n# Source: tms/templates/extraobjects.yaml\n", printed(t, result), "as helm template does")
}

func TestOnly(t *testing.T) {
	t.Parallel()
	values := map[string]any{
		"leases": map[string]any{
			"a": map[string]any{"models": []any{map[string]any{"name": "m", "uri": "/m"}}},
			"b": map[string]any{}, // would be refused
			"c": map[string]any{"models": []any{map[string]any{"name": "m", "uri": "/m"}}},
		},
		"extraObjects": []any{map[string]any{}},
	}
	var input render.Input
	require.NoError(t, input.AddValues(values))
	require.ErrorIs(t, input.Only("d"), render.ErrNoLease)
	require.NoError(t, input.Only("a", "c"))
	result, err := goPolicy.RenderInput(release, &input)
	require.NoError(t, err)
	require.Len(t, result.Leases, 2)
	require.Len(t, values["leases"], 3, "the caller's values do not change")
}

func TestLeaseOfAnotherChart(t *testing.T) {
	t.Parallel()
	_, err := chartPolicy.Lease(release, "resnet50", read(t, queueTime))
	require.EqualError(t, err, "only the embedded chart is supported: pkg/policy does not grant the leases of another chart")
}

// TestLeaseReplacesDefault checks that defaults with mutually exclusive fields are
// replaced, not merged.
func TestLeaseReplacesDefault(t *testing.T) {
	t.Parallel()
	defaults := []byte(`
triton:
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}
  podDisruptionBudget: {minAvailable: 1}
leases: {resnet50: {triton: {strategy: {type: Recreate}, podDisruptionBudget: {maxUnavailable: 1}}}}`)
	objects, err := goPolicy.Lease(release, "resnet50", read(t, queueTime), defaults)
	require.NoError(t, err)
	require.Nil(t, objects.Deployment.Spec.Strategy.RollingUpdate)
	require.Nil(t, objects.PodDisruptionBudget.Spec.MinAvailable)

	objects, err = goPolicy.Lease(release, "resnet50", read(t, queueTime), defaults,
		[]byte(`leases: {resnet50: {triton: {strategy: null, podDisruptionBudget: {}}}}`))
	require.Error(t, err, "null is refused")
	require.Nil(t, objects)
	objects, err = goPolicy.Lease(release, "legacy", []byte(`
triton: {podDisruptionBudget: {minAvailable: 1}}
leases: {legacy: {models: [{name: m, uri: /models}], triton: {podDisruptionBudget: {}}}}`))
	require.NoError(t, err)
	require.Nil(t, objects.PodDisruptionBudget, "a lease may have none")
}

// TestRefusalsOfPolicy checks that the policy still checks the leases if the schema
// refuses other keys, and does not report errors that follow from the refused keys. One
// lease has the name of such a key.
func TestRefusalsOfPolicy(t *testing.T) {
	t.Parallel()
	_, err := goPolicy.Render(release, []byte(`
triton: {replicas: many}
fullnameOverride: T
images: {pullPolicy: often}
server: {modelRepositories: {vision: {uri: /models, secret: a}}}
leases:
  named: {models: [{name: m, uri: "repo://vision"}, {name: o, uri: "https://example.com/a.zip"}]}
  triton: {models: [{name: m, uri: /models}, {name: m, uri: /models}]}
  a-name-that-would-be-too-long-if-the-release-were-put-before-it: {models: [{name: m, uri: /models}]}`))
	require.EqualError(t, err, `fullnameOverride: Invalid value: "T": must be a DNS label that begins with a letter: lower-case letters, digits and '-'
images.pullPolicy: Unsupported value: "often": supported values: "", "Always", "IfNotPresent", "Never"
server.modelRepositories.vision.secret: Forbidden: unknown key, did you mean "secretName"? (known here: credentialFile, namespaces, secretName, serviceAccountName, uri)
triton.replicas: Invalid value: "many": must be an integer, not a string
leases.triton.models[1].name: Duplicate value: "m"`)
}

// TestInputRendersOnce: a large fleet is freed while it is granted, so a second use is an
// error and not an empty result.
func TestInputRendersOnce(t *testing.T) {
	t.Parallel()
	var input render.Input
	require.NoError(t, input.Add(read(t, queueTime)))
	_, err := goPolicy.Grant(release, &input)
	require.NoError(t, err)
	_, err = goPolicy.RenderInput(release, &input)
	require.EqualError(t, err, "the Input was granted or rendered already: make a new one")
}
