package render_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/internal/testing/randvalues"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
	"github.com/triton-leases/tms/pkg/values"
)

// TestObjects checks that the typed objects of a lease equal its decoded documents.
func TestObjects(t *testing.T) {
	t.Parallel()
	r := goPolicy
	compared := 0
	for _, data := range seeds(15) {
		text, _ := randvalues.Fleet(data)
		result, err := r.Render(release, text)
		if err != nil {
			continue
		}
		var all map[string]any
		require.NoError(t, yaml.Unmarshal(text, &all))
		leases := all["leases"]
		delete(all, "leases")
		var input render.Input
		require.NoError(t, input.AddValues(all))
		lr, err := r.LeaseRenderer(release, &input)
		require.NoError(t, err)
		for _, lease := range result.Leases {
			decoded, err := values.DecodeLease(leases.(map[string]any)[lease.Name].(map[string]any))
			require.NoError(t, err)
			objects, err := objectsOf(lr, lease.Name, decoded)
			require.NoError(t, err)
			require.Equal(t, lease.Grant, objects.Lease.Grant)
			got := map[string]render.Object{}
			for _, kind := range render.Kinds() {
				if object := kind.Get(objects); object != nil {
					got[kind.Kind] = object
				}
			}
			for document := range result.Documents() {
				if !strings.Contains(document.Text, fmt.Sprintf("\n    tms.triton-leases.dev/lease: %q\n", lease.Name)) {
					continue
				}
				require.Contains(t, got, document.Kind)
				wanted := reflect.New(reflect.TypeOf(got[document.Kind]).Elem()).Interface()
				require.NoError(t, document.Decode(wanted))
				require.True(t, equality.Semantic.DeepEqual(wanted, got[document.Kind]), "%s\n%v", document.Text, got[document.Kind])
				delete(got, document.Kind)
				compared++
			}
			require.Empty(t, got)
		}
	}
	require.Greater(t, compared, 100)
}

func objectsOf(lr *render.LeaseRenderer, name string, spec *v1alpha1.LeaseSpec) (*render.Objects, error) {
	granted, err := lr.Grant(name, spec)
	if err != nil {
		return nil, err
	}
	return lr.Objects(granted)
}

// TestLeaseRenderer checks that leases do not affect each other.
func TestLeaseRenderer(t *testing.T) {
	t.Parallel()
	r := goPolicy
	var input render.Input
	require.NoError(t, input.Add(read(t, queueTime)))
	require.NoError(t, input.AddValues(map[string]any{
		"triton": map[string]any{"strategy": map[string]any{"type": "Recreate"}, "args": []string{"--default"}},
	}))
	lr, err := r.LeaseRenderer(release, &input)
	require.NoError(t, err)
	lease := func() *v1alpha1.LeaseSpec {
		on, threshold := true, int64(20000)
		return &v1alpha1.LeaseSpec{
			Models:      []v1alpha1.Model{{Name: "m", URI: "/m"}},
			Autoscaling: v1alpha1.Autoscaling{Enable: true, Metrics: map[v1alpha1.MetricName]v1alpha1.MetricRequest{v1alpha1.QueueTime: {Enabled: &on, Threshold: &threshold}}},
		}
	}
	first, err := objectsOf(lr, "a", lease())
	require.NoError(t, err)
	require.Equal(t, appsv1.RecreateDeploymentStrategyType, first.Deployment.Spec.Strategy.Type)
	require.Contains(t, first.Deployment.Spec.Template.Spec.Containers[0].Args, "--default")

	// A caller may change the result.
	*first.Lease.RequestedAutoscaling.Metrics[v1alpha1.QueueTime].Enabled = false
	first.Deployment.Labels["app.kubernetes.io/name"] = "changed"
	first.PrometheusRule.Spec.Groups[0].Rules = nil
	second, err := objectsOf(lr, "b", lease())
	require.NoError(t, err)
	require.Len(t, second.HorizontalPodAutoscaler.Spec.Metrics, len(first.HorizontalPodAutoscaler.Spec.Metrics))
	require.Equal(t, "tms", second.Deployment.Labels["app.kubernetes.io/name"])
	require.NotEmpty(t, second.PrometheusRule.Spec.Groups[0].Rules)

	// An empty value overrides a default.
	bare := lease()
	bare.Triton = &v1alpha1.Triton{Strategy: v1alpha1.Raw(map[string]any{}), Args: []string{}}
	third, err := objectsOf(lr, "c", bare)
	require.NoError(t, err)
	require.Empty(t, third.Deployment.Spec.Strategy.Type)
	require.NotContains(t, third.Deployment.Spec.Template.Spec.Containers[0].Args, "--default")

	_, err = objectsOf(lr, "E", lease())
	var refusal policy.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "leases.E", refusal[0].Field)

	// Concurrent use, for the race detector.
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 20 {
				bare := lease()
				bare.Triton = &v1alpha1.Triton{Args: []string{fmt.Sprintf("\"%d\"", k%5)}}
				objects, err := objectsOf(lr, fmt.Sprintf("l-%d-%d", i, k), bare)
				if assert.NoError(t, err) {
					assert.Equal(t, fmt.Sprintf("tms-l-%d-%d", i, k), objects.Service.Name)
				}
			}
		})
	}
	all.Wait()
}

// TestChangeKeepsTypes checks that Change keeps the Go types of the other values.
func TestChangeKeepsTypes(t *testing.T) {
	t.Parallel()
	const big = int64(9007199254740993)
	var input render.Input
	require.NoError(t, input.AddValues(map[string]any{"extraObjects": []any{map[string]any{
		"apiVersion": "v1", "kind": "X", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"big": big},
	}}}))
	require.NoError(t, input.Change(func(values map[string]any) error {
		values["nameOverride"] = "tms"
		return nil
	}))
	require.Error(t, input.Change(func(values map[string]any) error {
		values["nameOverride"] = "other"
		return errors.New("no")
	}))
	result, err := goPolicy.RenderInput(release, &input)
	require.NoError(t, err)
	require.Contains(t, printed(t, result), "big: 9007199254740993\n")
	require.Contains(t, printed(t, result), "kind: X\n")
	require.Error(t, input.AddValues(map[string]any{"x": func() {}}))
}
