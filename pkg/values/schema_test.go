package values_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

type object = map[string]any

func chartFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := fs.ReadFile(charts.TMS(), name)
	require.NoError(t, err)
	return text
}

func schema(t *testing.T) object {
	t.Helper()
	var document object
	require.NoError(t, json.Unmarshal(chartFile(t, "values.schema.json"), &document))
	return document
}

// TestSchemaHasAField checks that each property of the schema is a field of the Go types,
// and the other way round.
func TestSchemaHasAField(t *testing.T) {
	t.Parallel()
	s := schema(t)
	compare(t, s, "", s, reflect.TypeFor[values.Values]())
}

func compare(t *testing.T, root object, path string, node object, typ reflect.Type) {
	node = resolve(root, node)
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case typ == reflect.TypeFor[v1alpha1.RawJSON]() || path == ".server.autoscaling.behavior":
		return // Kubernetes defines it
	case typ == reflect.TypeFor[policy.ModelRepositories]():
		compare(t, root, path+".https", node["properties"].(object)["https"].(object), reflect.TypeFor[[]policy.HTTPSRepository]())
		for _, named := range node["patternProperties"].(object) {
			compare(t, root, path+"{}", named.(object)["then"].(object), reflect.TypeFor[policy.ModelRepository]())
		}
	case typ == reflect.TypeFor[intstr.IntOrString]():
		require.ElementsMatch(t, []any{"string", "integer"}, node["type"], path)
	case reflect.DeepEqual(node["type"], []any{"string", "null"}): // null decodes to an empty string
		require.Equal(t, reflect.String, typ.Kind(), path)
	case typ.Kind() == reflect.Slice:
		items, _ := node["items"].(object)
		require.NotNil(t, items, "%s has no items", path)
		compare(t, root, path+"[]", items, typ.Elem())
	case typ.Kind() == reflect.Map && typ.Key() == reflect.TypeFor[v1alpha1.MetricName]():
		properties, _ := node["properties"].(object)
		own, ok := node["additionalProperties"].(object)
		require.True(t, ok, "%s: what is a metric of the administrator?", path)
		compare(t, root, path+"{}", own, typ.Elem())
		require.Len(t, properties, len(policy.MetricNames()), path)
		for _, name := range policy.MetricNames() {
			require.Contains(t, properties, string(name), path)
			ofTMS := maps.Clone(resolve(root, properties[string(name)].(object)))
			keys := maps.Clone(ofTMS["properties"].(object))
			if _, bounds := resolve(root, own)["properties"].(object)["query"]; bounds {
				require.NotContains(t, keys, "query", path)
				require.NotContains(t, keys, "unit", path)
				keys["query"], keys["unit"] = object{"type": "string"}, object{"type": "string"}
			}
			ofTMS["properties"] = keys
			compare(t, root, path+"."+string(name), ofTMS, typ.Elem())
		}
	case typ.Kind() == reflect.Map:
		each, ok := node["additionalProperties"].(object)
		require.True(t, ok, "%s: what may a value be?", path)
		compare(t, root, path+"{}", each, typ.Elem())
	case typ.Kind() == reflect.Struct:
		properties, _ := node["properties"].(object)
		require.NotEmpty(t, properties, "%s has no properties", path)
		require.Equal(t, false, node["additionalProperties"], "%s is not closed", path)
		fields := map[string]reflect.Type{}
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields[name] = typ.Field(i).Type
		}
		for name, property := range properties {
			require.Contains(t, fields, name, "%s.%s has no field in %s", path, name, typ)
			compare(t, root, path+"."+name, property.(object), fields[name])
		}
		for name := range fields {
			require.Contains(t, properties, name, "%s.%s is no property", path, name)
		}
	case typ.Kind() == reflect.Interface:
		return
	default:
		require.Equal(t, map[reflect.Kind]string{
			reflect.Bool: "boolean", reflect.Int64: "integer", reflect.String: "string",
		}[typ.Kind()], node["type"], path)
	}
}

// resolve follows references: a $ref alone, or in an allOf beside a description.
func resolve(root, node object) object {
	if all, ok := node["allOf"].([]any); ok && node["properties"] == nil {
		node = all[0].(object)
	}
	ref, ok := node["$ref"].(string)
	if !ok {
		return node
	}
	referred := root
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		referred = referred[part].(object)
	}
	return resolve(root, referred)
}

// TestSchemaDescribes checks that every property has a description.
func TestSchemaDescribes(t *testing.T) {
	t.Parallel()
	var walk func(path string, node any)
	walk = func(path string, node any) {
		switch node := node.(type) {
		case object:
			properties, closed := node["properties"].(object)
			if _, ok := node["additionalProperties"]; ok && closed {
				for name, property := range properties {
					text, _ := property.(object)["description"].(string)
					require.True(t, strings.HasSuffix(text, "."), "%s.%s: the description %q is no sentence", path, name, text)
				}
			}
			for name, child := range node {
				walk(path+"/"+name, child)
			}
		case []any:
			for _, child := range node {
				walk(path, child)
			}
		}
	}
	walk("", schema(t))
}

// TestRootSchemaIsACopy checks the copy of the schema to which editors point.
func TestRootSchemaIsACopy(t *testing.T) {
	t.Parallel()
	root, err := os.ReadFile("../../values.schema.json")
	require.NoError(t, err)
	require.Equal(t, string(chartFile(t, "values.schema.json")), string(root), "run: make generate")
}

// TestDefaultsAreACopy checks the copy of values.yaml that templates read: Helm does not
// show them values.yaml itself.
func TestDefaultsAreACopy(t *testing.T) {
	t.Parallel()
	require.Equal(t, string(chartFile(t, "values.yaml")), string(chartFile(t, "files/values.yaml")), "run: make generate")
}

// TestDefaultsDecode checks that the chart's own values fit the types.
func TestDefaultsDecode(t *testing.T) {
	t.Parallel()
	var defaults object
	require.NoError(t, yaml.UnmarshalStrict(chartFile(t, "values.yaml"), &defaults))
	v, err := values.Decode(defaults)
	require.NoError(t, err)
	require.Equal(t, int64(10), v.Server.Autoscaling.Replicas.Limits.Maximum)
	require.ElementsMatch(t, policy.MetricNames(), slices.Collect(maps.Keys(v.Server.Autoscaling.Metrics)))
	require.NotContains(t, v.Images.Triton, "latest")
	require.Contains(t, string(chartFile(t, "Chart.yaml")), "image: "+v.Images.Triton+"\n", "Artifact Hub scans the images in Chart.yaml")
	require.True(t, values.RequestsCPU(v1alpha1.Resources{}, v.Triton.Resources), "scaling by CPU needs a request")
}

func TestResources(t *testing.T) {
	t.Parallel()
	type list = map[string]v1alpha1.RawJSON
	for name, test := range map[string]struct {
		own, defaults v1alpha1.Resources
		cpu, gpu      bool
	}{
		"nothing":                   {},
		"a request":                 {own: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw("500m")}}, cpu: true},
		"a default request":         {defaults: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw(1.0)}}, cpu: true},
		"a default request removed": {own: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw("0")}}, defaults: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw(1.0)}}},
		"a default request removed by an empty string": {own: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw("")}}, defaults: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw(1.0)}}},
		"an empty request shows the limit":             {own: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw("")}, Limits: list{"cpu": v1alpha1.Raw(2.0)}}, defaults: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw(1.0)}}, cpu: true},
		"a limit is a request":                         {own: v1alpha1.Resources{Limits: list{"cpu": v1alpha1.Raw(2.0)}}, cpu: true},
		"a request of 0 hides the limit":               {own: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw(0.0)}, Limits: list{"cpu": v1alpha1.Raw(2.0)}}},
		"zero in other words":                          {own: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw("0.00")}}},
		"zero with a unit":                             {own: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw("0m")}}},
		"a small one":                                  {own: v1alpha1.Resources{Requests: list{"cpu": v1alpha1.Raw("0.05")}}, cpu: true},
		"a GPU":                                        {own: v1alpha1.Resources{Limits: list{"nvidia.com/gpu": v1alpha1.Raw(1.0)}}, gpu: true},
		"a default GPU":                                {defaults: v1alpha1.Resources{Limits: list{"nvidia.com/gpu": v1alpha1.Raw("1")}}, gpu: true},
		"a default GPU removed":                        {own: v1alpha1.Resources{Limits: list{"nvidia.com/gpu": v1alpha1.Raw(0.0)}}, defaults: v1alpha1.Resources{Limits: list{"nvidia.com/gpu": v1alpha1.Raw("1")}}},
		"a share of a GPU":                             {own: v1alpha1.Resources{Limits: list{"nvidia.com/gpu.shared": v1alpha1.Raw("1")}}, gpu: true},
		"a MIG device":                                 {own: v1alpha1.Resources{Limits: list{"nvidia.com/mig-1g.5gb": v1alpha1.Raw("1")}}},
		"another accelerator":                          {own: v1alpha1.Resources{Limits: list{"example.com/gpu": v1alpha1.Raw("1")}}},
		"a GPU requested without a limit":              {own: v1alpha1.Resources{Requests: list{"nvidia.com/gpu": v1alpha1.Raw("1")}}},
		"a GPU beside a default of memory":             {own: v1alpha1.Resources{Limits: list{"nvidia.com/gpu": v1alpha1.Raw(1.0)}}, defaults: v1alpha1.Resources{Limits: list{"memory": v1alpha1.Raw("1Gi")}}, gpu: true},
	} {
		require.Equal(t, test.cpu, values.RequestsCPU(test.own, test.defaults), name)
		require.Equal(t, test.gpu, values.LimitsGPU(test.own, test.defaults), name)
	}
}

// TestAllowedFields checks that server.leases.allowedFields knows every key of triton, and
// that the default leaves out those that reach the node, run other images, or use another
// identity.
func TestAllowedFields(t *testing.T) {
	t.Parallel()
	root := schema(t)
	triton := root["definitions"].(object)["triton"].(object)["properties"].(object)
	items := root["properties"].(object)["server"].(object)["properties"].(object)["leases"].(object)["properties"].(object)["allowedFields"].(object)["items"].(object)
	pattern := regexp.MustCompile(items["pattern"].(string))
	for key := range triton {
		require.Regexp(t, pattern, key)
	}
	for _, key := range []string{"podTemplate.spec.dnsConfig", "service.type"} {
		require.Regexp(t, pattern, key)
	}
	for _, key := range []string{"", "models", "volume", "podTemplate.", "podTemplate.spec.dnsConfig.x.y", "service", "service.port"} {
		require.NotRegexp(t, pattern, key)
	}
	var defaults object
	require.NoError(t, yaml.UnmarshalStrict(chartFile(t, "values.yaml"), &defaults))
	v, err := values.Decode(defaults)
	require.NoError(t, err)
	notByDefault := []string{
		"command", "dnsPolicy", "hostIPC", "initContainers", "lifecycle", "podAnnotations", "podLabels", "podSecurityContext", "podTemplate",
		"priorityClassName", "resourceClaims", "runtimeClassName", "schedulerName", "securityContext", "serviceAccountName", "strategy", "terminationGracePeriodSeconds",
	}
	require.ElementsMatch(t, append(slices.Collect(maps.Keys(triton)), "service.headless"), append(v.Server.Leases.AllowedFields, notByDefault...))
}
