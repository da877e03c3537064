package crd_test

import (
	"context"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/crd"
	"github.com/triton-leases/tms/internal/schema"
	"github.com/triton-leases/tms/internal/testing/golden"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/pkg/policy"
)

func definition(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	text, err := fs.ReadFile(charts.TMS(), "values.schema.json")
	require.NoError(t, err)
	made, err := crd.New(text)
	require.NoError(t, err)
	return made
}

// TestServerWouldAccept runs the checks of the API server, which include structural
// schemas and the cost of CEL rules.
func TestServerWouldAccept(t *testing.T) {
	t.Parallel()
	made := definition(t)
	server := asServer(t, made)
	server.Status.StoredVersions = []string{"v1alpha1"}
	require.Empty(t, apiextensionsvalidation.ValidateCustomResourceDefinition(context.Background(), server))
}

// asServer returns the definition as the API server holds it.
func asServer(t *testing.T, made *apiextensionsv1.CustomResourceDefinition) *apiextensions.CustomResourceDefinition {
	t.Helper()
	apiextensionsv1.SetDefaults_CustomResourceDefinition(made)
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&made.Spec)
	server := new(apiextensions.CustomResourceDefinition)
	require.NoError(t, apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(made, server, nil))
	return server
}

// TestGolden checks the file that users install.
func TestGolden(t *testing.T) {
	t.Parallel()
	text, err := crd.YAML(definition(t))
	require.NoError(t, err)
	golden.Equal(t, "../../charts/tms/files/tritonleases.yaml", string(text))
}

// TestAcceptsWhatTheSchemaAccepts checks that the API server accepts every lease that the
// schema accepts, except numbers with fractions, which Kubernetes wants in quotes. Most
// leases that the schema refuses are refused by the API server too; the controller
// refuses the others.
func TestAcceptsWhatTheSchemaAccepts(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(charts.TMS(), "values.schema.json")
	require.NoError(t, err)
	rules, err := schema.Compile(text)
	require.NoError(t, err)
	validate := validator(t)

	accepted, refused, refusedByBoth := 0, 0, 0
	random := rand.New(rand.NewPCG(13, 14))
	for _, lease := range leases(t, random) {
		byServer := validate(lease)
		if len(rules.Validate(map[string]any{"leases": map[string]any{"a": lease}})) == 0 {
			accepted++
			require.Empty(t, byServer, "%v", lease)
			continue
		}
		refused++
		if len(byServer) > 0 {
			refusedByBoth++
		}
	}
	t.Log(accepted, refused, refusedByBoth)
	require.Greater(t, accepted, 300)
	require.Greater(t, refusedByBoth, refused/2)
}

// validator returns the validation of the API server.
func validator(t *testing.T) func(spec map[string]any) field.ErrorList {
	t.Helper()
	root := asServer(t, definition(t)).Spec.Versions[0].Schema
	if root == nil {
		root = asServer(t, definition(t)).Spec.Validation
	}
	structural, err := structuralschema.NewStructural(root.OpenAPIV3Schema)
	require.NoError(t, err)
	byRule := cel.NewValidator(structural, true, celconfig.PerCallLimit)
	bySchema, _, err := validation.NewSchemaValidator(root.OpenAPIV3Schema)
	require.NoError(t, err)
	return func(spec map[string]any) field.ErrorList {
		object := map[string]any{"metadata": map[string]any{"name": "a"}, "spec": spec}
		all := validation.ValidateCustomResource(nil, object, bySchema)
		byCEL, _ := byRule.Validate(context.Background(), nil, structural, object, nil, celconfig.RuntimeCELCostBudget)
		return append(all, byCEL...)
	}
}

// leases returns the leases of all values files of the tests and some random ones, each
// unchanged and broken.
func leases(t *testing.T, random *rand.Rand) []map[string]any {
	t.Helper()
	var texts [][]byte
	for _, pattern := range []string{"../../charts/tms/ci/*.yaml", "../../examples/*.yaml", "../../testdata/refused/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			texts = append(texts, text)
		}
	}
	for range 200 {
		data := make([]byte, 200)
		for i := range data {
			data[i] = byte(random.UintN(256))
		}
		text, _ := randvalues.YAML(data)
		texts = append(texts, text)
	}
	var all []map[string]any
	for _, text := range texts {
		for broken := range 3 {
			var values struct {
				Leases map[string]map[string]any `json:"leases"`
			}
			if yaml.Unmarshal(text, &values) != nil {
				continue // refused for another reason
			}
			for _, name := range slices.Sorted(maps.Keys(values.Leases)) {
				lease := values.Leases[name]
				if lease == nil || fraction(lease) {
					continue
				}
				if broken > 0 {
					randvalues.Break(random, lease)
				}
				if !fraction(lease) {
					all = append(all, whole(lease).(map[string]any))
				}
			}
		}
	}
	return all
}

// fraction reports whether a value contains a number that is no int64.
func fraction(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			if fraction(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, fraction)
	case float64:
		return value != math.Trunc(value) || math.Abs(value) >= 1<<62
	}
	return false
}

// whole returns a value with its numbers as int64, as the API server decodes them.
func whole(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			value[key] = whole(inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = whole(inner)
		}
	case float64:
		return int64(value)
	}
	return value
}

// TestTypesAreTheDefinition checks that each property of the definition is a field of the
// Go types, and the other way round.
func TestTypesAreTheDefinition(t *testing.T) {
	t.Parallel()
	root := definition(t).Spec.Versions[0].Schema.OpenAPIV3Schema
	compare(t, "spec", root.Properties["spec"], reflect.TypeFor[v1alpha1.TritonLeaseSpec]())
	compare(t, "status", root.Properties["status"], reflect.TypeFor[v1alpha1.TritonLeaseStatus]())
}

func compare(t *testing.T, path string, property apiextensionsv1.JSONSchemaProps, typ reflect.Type) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case property.XPreserveUnknownFields != nil: // Kubernetes defines it
		require.Equal(t, reflect.TypeFor[v1alpha1.RawJSON](), typ, path)
	case property.Items != nil:
		require.Equal(t, reflect.Slice, typ.Kind(), path)
		compare(t, path+"[]", *property.Items.Schema, typ.Elem())
	case property.AdditionalProperties != nil:
		require.Equal(t, reflect.Map, typ.Kind(), path)
		compare(t, path+"[*]", *property.AdditionalProperties.Schema, typ.Elem())
	case property.Properties != nil:
		fields := fieldsOf(typ)
		require.ElementsMatch(t, slices.Collect(maps.Keys(fields)), slices.Collect(maps.Keys(property.Properties)), path)
		for name, child := range property.Properties {
			compare(t, path+"."+name, child, fields[name])
		}
	case property.XIntOrString: // a quantity, a number or percentage, or a port
		require.Contains(t, []reflect.Type{reflect.TypeFor[v1alpha1.RawJSON](), reflect.TypeFor[intstr.IntOrString]()}, typ, path)
	case property.Format == "date-time":
		require.Equal(t, reflect.TypeFor[metav1.Time](), typ, path)
	default:
		require.Contains(t, map[string][]reflect.Kind{
			"string": {reflect.String}, "boolean": {reflect.Bool}, "integer": {reflect.Int64, reflect.Int32},
		}[property.Type], typ.Kind(), path)
	}
}

// fieldsOf returns the fields of a struct, or the keys of a map of metrics.
func fieldsOf(typ reflect.Type) map[string]reflect.Type {
	if typ.Kind() == reflect.Struct {
		return jsonFields(typ)
	}
	fields := map[string]reflect.Type{}
	for _, name := range policy.MetricNames() {
		fields[string(name)] = typ.Elem()
	}
	return fields
}

// jsonFields returns the fields of a struct, and of those embedded in it, by their JSON names.
func jsonFields(typ reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			maps.Copy(fields, jsonFields(field.Type))
			continue
		}
		fields[name] = field.Type
	}
	return fields
}
