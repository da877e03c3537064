package render_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// TestFaults checks that what Kubernetes would refuse is refused at the key of the values
// that causes it.
func TestFaults(t *testing.T) {
	t.Parallel()
	const models = `models: [{name: m, uri: "pvc://models"}, {name: k, uri: "pvc://other/k"}]`
	for name, test := range map[string]struct{ values, want string }{
		"a request above the limit": {
			`leases: {a: {` + models + `, triton: {resources: {limits: {memory: 1Gi}, requests: {memory: 2Gi}}}}}`,
			`leases.a.triton.resources.requests.memory: Invalid value: "2Gi": must be at most the limit, 1Gi`,
		},
		"a default request above the limit of a lease": {
			`leases: {a: {` + models + `, triton: {resources: {limits: {cpu: 500m}}}}}`,
			`leases.a.triton.resources.requests.cpu: Invalid value: "1": must be at most the limit, 500m`,
		},
		"a share of a GPU": {
			`leases: {a: {` + models + `, triton: {resources: {limits: {nvidia.com/gpu: "0.5"}}}}}`,
			`leases.a.triton.resources.limits[nvidia.com/gpu]: Invalid value: "500m": must be an integer`,
		},
		"an unknown field": {
			`leases: {a: {` + models + `, triton: {affinity: {podAfinity: {}}}}}`,
			`leases.a.triton.affinity.podAfinity: Forbidden: Kubernetes has no such field`,
		},
		"a wrong type": {
			`leases: {a: {` + models + `, triton: {lifecycle: {preStop: {sleep: {seconds: soon}}}}}}`,
			`leases.a.triton: Invalid value: "string": spec.template.spec.containers.lifecycle.preStop.sleep.seconds of the Deployment: must be of type int64`,
		},
		"a volume after those of the chart": {
			`leases: {a: {` + models + `, triton: {volumes: [{name: a, emptyDir: {}}, {name: b, emptyDir: {}, hostPath: {path: /b}}]}}}`,
			`leases.a.triton.volumes[1].emptyDir: Forbidden: only one of hostPath and emptyDir may be set`,
		},
		"a mount after those of the chart": {
			`leases: {a: {` + models + `, triton: {volumeMounts: [{name: shm, mountPath: /a, subPath: ../b}]}}}`,
			`leases.a.triton.volumeMounts[0].subPath: Invalid value: "../b": `,
		},
		"a default, of two leases": {
			`{triton: {runtimeClassName: A}, leases: {a: {` + models + `}, b: {` + models + `}}}`,
			`triton.runtimeClassName: Invalid value: "A": `,
		},
		"a probe": {
			`leases: {a: {` + models + `, triton: {probes: {liveness: {successThreshold: 2}}}}}`,
			`leases.a.triton.probes.liveness.successThreshold: Invalid value: 2: must be 1`,
		},
		"a strategy": {
			`leases: {a: {` + models + `, triton: {strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}}}}`,
			`leases.a.triton.strategy.rollingUpdate: Forbidden: `,
		},
		"a pod template": {
			`leases: {a: {` + models + `, triton: {podTemplate: {spec: {containers: [{name: proxy}]}}}}}`,
			`leases.a.triton.podTemplate: Required value: spec.containers[1].image of the Deployment`,
		},
		"a pod template that has no part in it": {
			`leases: {a: {` + models + `, triton: {dnsPolicy: None, podTemplate: {spec: {hostname: a}}}}}`,
			`leases.a.triton: Required value: spec.template.spec.dnsConfig.nameservers of the Deployment: `,
		},
		"a peer of a network policy": {
			`{networkPolicy: {enabled: true, from: [{podselector: {}}]}, leases: {a: {` + models + `}}}`,
			`networkPolicy.from: Forbidden: spec.ingress[0].from[0].podselector of the NetworkPolicy: Kubernetes has no such field`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := goPolicy.Render(release, []byte(test.values))
			reasons := policy.Reasons(err)
			require.NotEmpty(t, reasons, "%v", err)
			var found []string
			for _, reason := range reasons {
				require.Equal(t, render.OfKubernetes, reason.Origin, "%v", err)
				if len(reason.Error()) >= len(test.want) && reason.Error()[:len(test.want)] == test.want {
					found = append(found, reason.Error())
				}
			}
			require.Len(t, found, 1, "%v", err)

			_, err = chartPolicy.Render(release, []byte(test.values))
			require.NoError(t, err, "helm leaves it to the API server")
		})
	}
}

// TestFaultsOfTritonLease checks the paths of a TritonLease, and that a server gets the
// same answer from the cache.
func TestFaultsOfTritonLease(t *testing.T) {
	t.Parallel()
	lr := controllerOf(t, "server: {leases: {allowedTolerations: [{}]}}")
	lease := new(v1alpha1.TritonLease)
	require.NoError(t, yaml.Unmarshal([]byte(`
metadata: {name: a, namespace: vision}
spec:
  models: [{name: m, uri: /models}]
  triton: {tolerations: [{operator: Exist, key: a}]}`), lease))
	for range 2 {
		_, err := lr.GrantTritonLease(lease)
		require.EqualError(t, err, `spec.triton.tolerations[0].operator: Unsupported value: "Exist": supported values: "Equal", "Exists"`)
	}
}
