package preview_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/crd"
	"github.com/triton-leases/tms/internal/preview"
	"github.com/triton-leases/tms/internal/schema"
	"github.com/triton-leases/tms/internal/testing/randvalues"
)

func chartFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := fs.ReadFile(charts.TMS(), name)
	require.NoError(t, err)
	return text
}

func rules(t *testing.T) *schema.Schema {
	t.Helper()
	made, err := preview.NewSchema(chartFile(t, "values.schema.json"))
	require.NoError(t, err)
	return made
}

// lease returns the only TritonLease of a text, and the reasons why it is refused.
func lease(t *testing.T, text string) (*v1alpha1.TritonLease, string) {
	t.Helper()
	found, err := preview.Read(0, []byte(text))
	require.NoError(t, err)
	require.Len(t, found, 1)
	made, reasons := found[0].Lease(rules(t))
	sentences := make([]string, len(reasons))
	for i, reason := range reasons {
		sentences[i] = reason.Error()
	}
	return made, strings.Join(sentences, "\n")
}

const begin = "apiVersion: tms.triton-leases.dev/v1alpha1\nkind: TritonLease\n"

func TestLease(t *testing.T) {
	t.Parallel()
	made, refused := lease(t, begin+`
metadata: {name: a, namespace: b, creationTimestamp: "2026-01-31T08:00:00Z", labels: {x: z}, managedFields: [{manager: kubectl}]}
spec:
  models: [{name: m, uri: /m}]
  target: null
  triton: {priorityClassName: "", resources: null, affinity: {x: null}, env: [{name: A, value: null}]}
  duration: 1h
  autoRenew: false
  renewTime: 2026-01-31T09:00:00Z
status: {replicas: many}
`)
	require.Empty(t, refused)
	require.Equal(t, "b/a", made.Namespace+"/"+made.Name)
	require.Equal(t, 2026, made.CreationTimestamp.Year())
	require.Equal(t, "1h", string(*made.Spec.Duration))
	require.False(t, *made.Spec.AutoRenew)
	require.Equal(t, 9, made.Spec.RenewTime.UTC().Hour())
	value, err := made.Spec.Map()
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"models": []any{map[string]any{"name": "m", "uri": "/m"}},
		"triton": map[string]any{"affinity": map[string]any{"x": nil}, "env": []any{map[string]any{"name": "A"}}},
	}, value)
}

func TestLeaseRefused(t *testing.T) {
	t.Parallel()
	const sound = "\nspec: {models: [{name: m, uri: /m}]}\n"
	const named = "metadata: {name: a}\nspec: {models: [{name: m, uri: /m}], "
	for text, sentence := range map[string]string{
		"metadata: {name: A.b}" + sound:                                `metadata.name: Invalid value: "A.b": must be a DNS label: at most 63 lower-case letters, digits and '-', with a letter or a digit at both ends`,
		"metadata: {generateName: a-}" + sound:                         `metadata.name: Required value: set it: the name of the lease; a preview cannot know what generateName becomes`,
		"metadata: null" + sound:                                       `metadata: Required value: set it: name, and namespace if it is not that of the release`,
		"metadata: {name: a, namspace: b}" + sound:                     `metadata.namspace: Forbidden: unknown key, did you mean "namespace"?`,
		"metadata: {name: a, labels: {x: 1}}" + sound:                  `metadata.labels.x: Invalid value: 1: must be a string, not the number 1: quote it`,
		"metadata: {name: a, creationTimestamp: now}" + sound:          `metadata.creationTimestamp: Invalid value: "now": must be a time such as 2026-01-31T08:00:00Z`,
		"metadata: {name: a}\nspec: null":                              `spec: Required value: set it: what the lease asks for`,
		"metadata: {name: a}\nspecs: {}" + sound:                       `specs: Forbidden: unknown key, did you mean "spec"?`,
		"metadata: {name: a}\nspec: {}":                                `spec: Invalid value: must have either models or target`,
		named + "renewTime: soon}":                                     `spec.renewTime: Invalid value: "soon": must be a time such as 2026-01-31T08:00:00Z`,
		named + "duration: 5}":                                         `spec.duration: Invalid value: 5: must be a string, not the number 5: quote it`,
		named + "autoRenew: yes please}":                               `spec.autoRenew: Invalid value: "yes please": must be a boolean, not a string`,
		"metadata: {name: a}\nspec: {models: [null]}":                  `spec.models[0]: Invalid value: must be an object, not null`,
		named + "triton: {resources: {requests: {cpu: 0.5, gpu: 1}}}}": `spec.triton.resources.requests.cpu: Invalid value: 0.5: must be a whole number or a string: quote it`,
	} {
		_, refused := lease(t, begin+text)
		require.Contains(t, refused, sentence, text)
		require.NotContains(t, refused, "\n", text)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for text, names := range map[string][]any{
		begin + "metadata: {name: a}\n---\n" + begin + "metadata: {name: b}\n":                                                                                {"a", "b"},
		"apiVersion: tms.triton-leases.dev/v1alpha1\nkind: TritonLeaseList\nitems: [{metadata: {name: a}}]":                                                   {"a"},
		`{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "tms.triton-leases.dev/v1alpha1", "kind": "TritonLease", "metadata": {"name": "a"}}]}`: {"a"},
		"apiVersion: v1\nkind: List\nitems: null\n":                                                                                                           nil,
	} {
		found, err := preview.Read(0, []byte(text))
		require.NoError(t, err, text)
		require.Len(t, found, len(names))
		for i, name := range names {
			made, _ := found[i].Lease(rules(t))
			require.Equal(t, name, made.Name)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for text, message := range map[string]string{
		"apiVersion: apps/v1\nkind: Deployment\n":                   "line 2, column 1: kind: Deployment is not supported: a file holds values or TritonLeases",
		"apiVersion: v1\nkind: null\n":                              "line 2, column 1: kind: null is not supported: a file holds values or TritonLeases",
		"kind: TritonLease\nspec: {}\n":                             "line 1, column 1: apiVersion: is missing: must be tms.triton-leases.dev/v1alpha1",
		"apiVersion: tms.triton-leases.dev/v1\nkind: TritonLease\n": "line 1, column 1: apiVersion: tms.triton-leases.dev/v1: must be tms.triton-leases.dev/v1alpha1",
		"apiVersion: v2\nkind: List\nitems: []\n":                   "line 1, column 1: apiVersion: v2: must be v1",
		"apiVersion: v1\nkind: List\nitems: {}\n":                   "line 3, column 1: items: must be a list",
		"apiVersion: v1\nkind: List\nitems:\n- 5\n- {apiVersion: v1, kind: Pod}\n": "line 4, column 3: items[0]: must be a manifest\n" +
			"line 5, column 20: kind: Pod is not supported: a file holds values or TritonLeases",
	} {
		_, err := preview.Read(0, []byte(text))
		require.EqualError(t, err, message, text)
	}
}

// TestStoredDropsNulls checks that stored drops the same nulls as the API server's code.
func TestStoredDropsNulls(t *testing.T) {
	t.Parallel()
	definition, err := crd.New(chartFile(t, "values.schema.json"))
	require.NoError(t, err)
	var props apiextensions.JSONSchemaProps
	require.NoError(t, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
		definition.Spec.Versions[0].Schema.OpenAPIV3Schema, &props, nil))
	structural, err := structuralschema.NewStructural(&props)
	require.NoError(t, err)

	random := rand.New(rand.NewPCG(15, 16))
	dropped, kept := 0, 0
	for _, lease := range leases(t) {
		for range 5 {
			spec := runtime.DeepCopyJSON(lease)
			putNulls(random, spec)
			object := map[string]any{"spec": spec}
			got := preview.Stored(object)
			nulls := countNulls(object)
			defaulting.PruneNonNullableNullsWithoutDefaults(object, structural)
			require.Equal(t, object, got)
			dropped, kept = dropped+nulls-countNulls(got), kept+countNulls(got)
		}
	}
	t.Log(dropped, kept)
	require.Greater(t, dropped, 500)
	require.Greater(t, kept, 100)
}

// leases returns the leases of all values files of the tests, and random ones.
func leases(t *testing.T) []map[string]any {
	t.Helper()
	texts, err := randvalues.Corpus("../..", 100)
	require.NoError(t, err)
	var all []map[string]any
	for _, text := range texts {
		var values struct {
			Leases map[string]any `json:"leases"`
		}
		_ = yaml.Unmarshal(text, &values) // some are broken on purpose
		for _, name := range slices.Sorted(maps.Keys(values.Leases)) {
			if lease, isObject := values.Leases[name].(map[string]any); isObject {
				all = append(all, lease)
			}
		}
	}
	return all
}

// putNulls replaces random values with null.
func putNulls(random *rand.Rand, value any) {
	put := func(inner any, set func()) {
		if random.IntN(6) == 0 {
			set()
		} else {
			putNulls(random, inner)
		}
	}
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			put(value[key], func() { value[key] = nil })
		}
	case []any:
		for i := range value {
			put(value[i], func() { value[i] = nil })
		}
	}
}

func countNulls(value any) (nulls int) {
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			nulls += countNulls(inner)
		}
	case []any:
		for _, inner := range value {
			nulls += countNulls(inner)
		}
	case nil:
		nulls = 1
	}
	return nulls
}

// TestEnvelope checks that envelope.json has the fields of the Go types, and that the
// schema and the CRD have the same message about names.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	type object struct {
		Properties map[string]struct {
			Comment    string         `json:"$comment"`
			Properties map[string]any `json:"properties"`
		} `json:"properties"`
	}
	var around object
	require.NoError(t, json.Unmarshal(preview.Envelope, &around))
	keys := func(properties map[string]any) []string { return slices.Collect(maps.Keys(properties)) }
	require.ElementsMatch(t, fields(reflect.TypeFor[metav1.ObjectMeta]()), keys(around.Properties["metadata"].Properties))
	require.ElementsMatch(t, fields(reflect.TypeFor[v1alpha1.TritonLease]()), slices.Collect(maps.Keys(around.Properties)))
	require.ElementsMatch(t, fields(reflect.TypeFor[v1alpha1.TritonLeaseSpec]()), keys(around.Properties["spec"].Properties))

	var schema struct {
		Definitions struct {
			DNSLabel struct {
				Comment string `json:"$comment"`
			} `json:"dnsLabel"`
		} `json:"definitions"`
	}
	require.NoError(t, json.Unmarshal(chartFile(t, "values.schema.json"), &schema))
	definition, err := crd.New(chartFile(t, "values.schema.json"))
	require.NoError(t, err)
	rule := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.XValidations[0]
	require.Equal(t, rule.Message, "metadata.name "+schema.Definitions.DNSLabel.Comment)
}

// fields returns the JSON names of the fields of a struct and of its TypeMeta.
func fields(typ reflect.Type) []string {
	var names []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name != "":
			names = append(names, name)
		case f.Type == reflect.TypeFor[metav1.TypeMeta]():
			names = append(names, fields(f.Type)...)
		}
	}
	return names
}

// TestSet checks that a key of a manifest can be set, as helm's --set does.
func TestSet(t *testing.T) {
	t.Parallel()
	found, err := preview.Read(0, []byte(manifestOf(t, "", "a", plain)))
	require.NoError(t, err)
	require.NoError(t, found[0].Set("spec.triton.replicas=3"))
	made, reasons := found[0].Lease(rules(t))
	require.Empty(t, reasons)
	require.EqualValues(t, 3, *made.Spec.Triton.Replicas)
	require.Equal(t, "m", made.Spec.Models[0].Name)
	require.Error(t, found[0].Set("spec[x]=1"))
}
