package render_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// controllerOf returns the LeaseRenderer of a tms-server in the namespace system.
func controllerOf(t *testing.T, values string) *render.LeaseRenderer {
	t.Helper()
	var input render.Input
	require.NoError(t, input.Add([]byte(values)))
	lr, err := goPolicy.LeaseRenderer(render.Release{Name: "tms", Namespace: "system", Controller: true}, &input)
	require.NoError(t, err)
	return lr
}

// tritonLease returns the lease a of a namespace.
func tritonLease(t *testing.T, namespace, spec string) *v1alpha1.TritonLease {
	t.Helper()
	lease := &v1alpha1.TritonLease{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: namespace}}
	require.NoError(t, yaml.UnmarshalStrict([]byte(spec), &lease.Spec))
	return lease
}

const autoscaled = "server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}"

// TestGrantedReplicas checks the replicas and GPUs of leases, and that the Deployment has
// these replicas.
func TestGrantedReplicas(t *testing.T) {
	t.Parallel()
	const models = "models: [{name: m, uri: /m}]"
	for name, test := range map[string]struct {
		values, spec   string
		replicas, gpus int64
		message        string
	}{
		"the default":          {spec: models, replicas: 1},
		"within the limit":     {spec: models + ", triton: {replicas: 10, resources: {limits: {nvidia.com/gpu: 8}}}", replicas: 10, gpus: 8},
		"none":                 {spec: models + ", triton: {replicas: 0}"},
		"above the limit":      {spec: models + ", triton: {replicas: 500, resources: {limits: {nvidia.com/gpu: 2}}}", replicas: 10, gpus: 2, message: "spec.triton.replicas: asked 500, granted 10 (server.leases.limits.replicas)"},
		"a high default":       {values: "{triton: {replicas: 20}}", spec: models, replicas: 10, message: "spec.triton.replicas: default 20, granted 10 (server.leases.limits.replicas)"},
		"a default GPU":        {values: "{triton: {resources: {limits: {nvidia.com/gpu: 4}}}}", spec: models + ", triton: {args: [--x]}", replicas: 1, gpus: 4},
		"autoscaled":           {values: autoscaled, spec: models + ", autoscaling: {enable: true}, triton: {resources: {limits: {nvidia.com/gpu: 2}}}", gpus: 2},
		"autoscaling is off":   {values: "server: {autoscaling: {enable: false}}", spec: models + ", autoscaling: {enable: true}, triton: {replicas: 11}", replicas: 10, message: "spec.triton.replicas: asked 11, granted 10 (server.leases.limits.replicas)"},
		"a target":             {values: autoscaled, spec: "target: {name: a, selector: {a: b}}, autoscaling: {enable: true}"},
		"a limit of one":       {values: "server: {leases: {limits: {replicas: 1}}}", spec: models + ", triton: {replicas: 2}", replicas: 1, message: "spec.triton.replicas: asked 2, granted 1 (server.leases.limits.replicas)"},
		"the default is unset": {values: "triton: {replicas: null}", spec: models, replicas: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lr := controllerOf(t, test.values)
			objects, err := lr.TritonLease(tritonLease(t, "vision", "{"+test.spec+"}"))
			require.NoError(t, err)
			grant := objects.Lease.Grant
			require.Equal(t, []int64{test.replicas, test.gpus}, []int64{grant.Replicas, grant.GPUs})
			if test.message != "" {
				require.Equal(t, test.message, grant.Adjustments[0].String())
			}
			if d := objects.Deployment; d != nil && !grant.Autoscaled && d.Spec.Replicas != nil {
				require.EqualValues(t, test.replicas, *d.Spec.Replicas)
			} else if d != nil && !grant.Autoscaled {
				require.EqualValues(t, 1, test.replicas, "the default of Kubernetes")
			}
			clamped := lr.ClampReplicas(grant)
			require.Equal(t, grant, clamped)
		})
	}
}

// TestClampReplicas checks that a running lease that does not scale is clamped to a
// lowered limit.
func TestClampReplicas(t *testing.T) {
	t.Parallel()
	lr := controllerOf(t, "server: {leases: {limits: {replicas: 3}}}")
	before := v1alpha1.Grant{Replicas: 8, GPUs: 2, Adjustments: []v1alpha1.Adjustment{{Field: "spec.triton.replicas", Asked: 20, Granted: 8}, {Field: "spec.x"}}}
	after := lr.ClampReplicas(before)
	require.Equal(t, []int64{3, 2}, []int64{after.Replicas, after.GPUs})
	require.Equal(t, []v1alpha1.Adjustment{
		{Field: "spec.triton.replicas", Asked: 8, Granted: 3, Limit: "server.leases.limits.replicas"}, {Field: "spec.x"},
	}, after.Adjustments)
}
