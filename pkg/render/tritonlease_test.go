package render_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/pkg/policy"
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

// TestModelWarning checks that the status of a TritonLease has the warnings about its models.
func TestModelWarning(t *testing.T) {
	t.Parallel()
	g, err := controllerOf(t, "").GrantTritonLease(tritonLease(t, "ns", "models: [{name: m, uri: s3://models/m}]"))
	require.NoError(t, err)
	require.Len(t, g.Grant.Warnings, 1)
	require.Equal(t, "spec.models[0].uri", g.Grant.Warnings[0].Field)
}

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

// TestReload checks that a reload adds an annotation to the pods, and changes nothing else.
func TestReload(t *testing.T) {
	t.Parallel()
	const annotation = "tms.triton-leases.dev/reloaded-at"
	for name, test := range map[string]struct {
		values, triton string
		others         map[string]string
	}{
		"no annotations":     {},
		"other annotations":  {values: "{kubernetes: {customAnnotations: {team: a}}}", others: map[string]string{"team": "a"}},
		"the same one":       {values: "{triton: {podAnnotations: {" + annotation + ": mine}}}", others: map[string]string{annotation: "mine"}},
		"an overlaid object": {values: "{triton: {podTemplate: {spec: {hostname: a}}}}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lr := controllerOf(t, test.values)
			render := func(at *metav1.Time) *render.Objects {
				t.Helper()
				lease := tritonLease(t, "ns", "models: [{name: m, uri: /m}]")
				lease.CreationTimestamp, lease.Spec.ReloadTime = metav1.Unix(1e9, 0), at
				objects, err := lr.TritonLease(lease)
				require.NoError(t, err)
				return objects
			}
			never := render(nil)
			require.Equal(t, test.others, never.Deployment.Spec.Template.Annotations)
			require.Equal(t, never.Deployment, render(new(metav1.Unix(1e9-1, 0))).Deployment, "its pods are younger")
			for at, want := range map[int64]string{1e9: "2001-09-09T01:46:40Z", 2e9: "2033-05-18T03:33:20Z"} {
				reloaded := render(new(metav1.Unix(at, 0)))
				require.Equal(t, want, reloaded.Deployment.Spec.Template.Annotations[annotation])
				require.NotEqual(t, never.Deployment, reloaded.Deployment)
				reloaded.Deployment.Spec.Template.Annotations = never.Deployment.Spec.Template.Annotations
				require.Equal(t, never.Deployment, reloaded.Deployment)
			}
		})
	}
}

// TestProbedByServer checks that the NetworkPolicy of a TritonLease lets tms-server, and not
// all of its namespace, reach the progress of its models.
func TestProbedByServer(t *testing.T) {
	t.Parallel()
	lr := controllerOf(t, "{networkPolicy: {enabled: true, from: [{podSelector: {}}]}}")
	objects, err := lr.TritonLease(tritonLease(t, "ns", "models: [{name: m, uri: /m}]"))
	require.NoError(t, err)
	ingress := objects.NetworkPolicy.Spec.Ingress
	last := ingress[len(ingress)-1]
	require.Len(t, last.Ports, 2)
	require.Equal(t, "http", last.Ports[0].Port.String())
	require.Equal(t, 8004, last.Ports[1].Port.IntValue())
	require.Len(t, last.From, 1)
	require.Equal(t, map[string]string{"kubernetes.io/metadata.name": "system"}, last.From[0].NamespaceSelector.MatchLabels)
	require.Equal(t, map[string]string{"app.kubernetes.io/name": "tms", "app.kubernetes.io/instance": "tms", "app.kubernetes.io/component": "server"}, last.From[0].PodSelector.MatchLabels)
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

// TestRefusedLeases checks that a TritonLease gets all reasons at once, always in the same
// order: those of its request, and those of its pods as they are rendered.
func TestRefusedLeases(t *testing.T) {
	t.Parallel()
	const (
		sets     = "; an administrator sets it in the values of the release"
		field    = ": Forbidden: a TritonLease may not set it: it is not in server.leases.allowedFields" + sets
		volume   = ": Forbidden: a TritonLease may not have a volume of this type: it is not in server.leases.allowedVolumes" + sets
		context  = ": change spec.triton.securityContext"
		standard = ": the pod must meet the Pod Security Standard restricted, also with the defaults of triton (server.leases.podSecurityStandard)" + sets
	)
	for name, test := range map[string]struct {
		values, spec string
		want         []string
	}{
		"the node": {
			spec: "triton: {replicas: 500, priorityClassName: system-cluster-critical, securityContext: {privileged: true, allowPrivilegeEscalation: null}, volumes: [{name: root, hostPath: {path: /}}], resources: {limits: {nvidia.com/gpu: 64}}}",
			want: []string{
				"spec.triton.priorityClassName" + field, "spec.triton.securityContext" + field, "spec.triton.volumes[0].hostPath" + volume,
				`spec.triton.resources.limits: Invalid value: "64": must not exceed server.leases.limits.gpus (8) in all containers of a pod together` + sets,
				`spec.triton: Forbidden: privileged (container "triton" must not set securityContext.privileged=true)` + context + standard,
				`spec.triton: Forbidden: allowPrivilegeEscalation != false (container "triton" must set securityContext.allowPrivilegeEscalation=false)` + context + standard,
				`spec.triton: Forbidden: restricted volume types (volume "root" uses restricted volume type "hostPath")` + ": change spec.triton.volumes" + standard,
			},
		},
		"with the schema's reasons": {
			spec: "autoscaling: {replicas: {minimum: -1}}, triton: {hostIPC: true, tolerations: [{operator: Exists}]}, duration: soon",
			want: []string{
				"spec.autoscaling.replicas.minimum: Invalid value: -1: must be at least 0", "spec.triton.hostIPC" + field,
				"spec.triton.tolerations[0]: Forbidden: a TritonLease may not have this toleration: no entry of server.leases.allowedTolerations matches it" + sets,
				`spec.duration: Invalid value: "soon": must be a duration such as 30m or 8h`,
			},
		},
		"a Service": {spec: "service: {type: LoadBalancer, headless: true}", want: []string{"spec.service.type" + field}},
		"the administrator's default": {
			values: "triton: {podSecurityContext: {runAsNonRoot: false}}", spec: "image: ''",
			want: []string{`spec.triton: Forbidden: runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)` + ": change spec.triton.podSecurityContext or spec.triton.securityContext" + standard},
		},
		"a sidecar": {
			values: "server: {leases: {allowedFields: [podTemplate.spec.initContainers], limits: {gpus: 1, memory: 8Gi}}}, triton: {resources: {limits: {nvidia.com/gpu: 1, memory: 6Gi}}}",
			spec: `triton: {podTemplate: {spec: {initContainers: [{name: a, image: mine, restartPolicy: Always, resources: {limits: {nvidia.com/gpu: 1, memory: 4Gi}},
				securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}}`,
			want: []string{
				`spec.triton.podTemplate.spec.initContainers[0].image: Forbidden: image "mine" is not allowed: it must be images.triton or in server.allowlist`,
				`spec.triton.resources.limits: Invalid value: "2": must not exceed server.leases.limits.gpus (1) in all containers of a pod together` + sets,
				`spec.triton.resources.limits.memory: Invalid value: "10Gi": must not exceed server.leases.limits.memory (8Gi) in all containers of a pod together` + sets,
			},
		},
		"no target": {
			values: "server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}, leases: {allowedTargets: None}}",
			spec:   "models: null, target: {name: a, selector: {a: b}}",
			want:   []string{"spec.target: Forbidden: a TritonLease may not have a target, because server.leases.allowedTargets is None" + sets},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lr := controllerOf(t, "{"+test.values+"}")
			text := "{models: [{name: m, uri: /m}], " + test.spec + "}"
			if strings.HasPrefix(test.spec, "models") {
				text = "{" + test.spec + "}"
			}
			for range 2 { // the second time from the cache
				_, err := lr.GrantTritonLease(tritonLease(t, "vision", text))
				var got []string
				for _, reason := range policy.Reasons(err) {
					got = append(got, reason.Error())
				}
				require.Equal(t, test.want, got)
			}
		})
	}
}

// TestBecomeServer tries to run the pods of a lease as tms-server, in its namespace and in
// another one, when an administrator allows everything.
func TestBecomeServer(t *testing.T) {
	t.Parallel()
	const everything = `server: {leases: {allowedFields: [serviceAccountName, podTemplate, env, volumes], allowedSecrets: ["*"], podSecurityStandard: privileged,
		allowedVolumes: [projected, secret], allowedTargets: All}}`
	for name, test := range map[string]struct {
		values, lease, triton, target string
		want                          string
		elsewhere                     bool // refused in another namespace too
	}{
		"its account":               {triton: "{serviceAccountName: tms-server}", want: "spec.triton.serviceAccountName"},
		"its account in a template": {triton: "{podTemplate: {spec: {serviceAccountName: tms-server}}}", want: "spec.triton.serviceAccountName"},
		"its account by the alias":  {triton: "{podTemplate: {spec: {serviceAccount: tms-server}}}", want: "spec.triton.serviceAccountName"},
		"its account as the default": {
			values: "triton: {serviceAccountName: tms-server}", triton: "{volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: token}}]}}]}",
			want: "spec.triton.serviceAccountName",
		},
		"the key of its certificate":  {triton: "{volumes: [{name: a, secret: {secretName: tms-server-tls}}]}", want: "spec.triton.volumes[0].secret.secretName"},
		"a token of its account":      {triton: "{env: [{name: A, valueFrom: {secretKeyRef: {name: tms-server-token, key: token}}}]}", want: "spec.triton.env[0].valueFrom.secretKeyRef.name"},
		"the label of its pods":       {triton: "{podTemplate: {metadata: {labels: {app.kubernetes.io/component: server}}}}", want: "spec.triton.podTemplate.metadata.labels[app.kubernetes.io/component]", elsewhere: true},
		"the names of its objects":    {lease: "server", triton: "{}", want: "spec"},
		"its Deployment as a target":  {target: "tms-server", want: "spec.target.name"},
		"with other names of objects": {values: "fullnameOverride: x", triton: "{serviceAccountName: x-server}", want: "spec.triton.serviceAccountName"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lr := controllerOf(t, everything+"\n"+test.values)
			for namespace, refused := range map[string]bool{"system": true, "vision": test.elsewhere} {
				text := "{models: [{name: m, uri: /m}], triton: " + test.triton + "}"
				if test.target != "" {
					text = "{target: {name: " + test.target + ", selector: {a: b}}, autoscaling: {enable: true}}"
				}
				lease := tritonLease(t, namespace, text)
				if test.lease != "" {
					lease.Name = test.lease
				}
				_, err := lr.GrantTritonLease(lease)
				if !refused {
					require.NoError(t, err)
					continue
				}
				reasons := policy.Reasons(err)
				require.Len(t, reasons, 1, "%v", err)
				require.Equal(t, test.want, reasons[0].Field)
			}
		})
	}
}

// TestRepositoriesOfTritonLeases checks that the pods of TritonLeases may have what the chart
// adds for their models: they meet the restricted standard, and the credentials of the
// administrator need no entry in the bounds.
func TestRepositoriesOfTritonLeases(t *testing.T) {
	t.Parallel()
	lr := controllerOf(t, `
images: {server: "example.com/server:1"}
server:
  modelRepositories:
    https: [{secretName: a, targetUri: example.com}]
    vision: {uri: "s3://vision", secretName: s3, namespaces: [vision], serviceAccountName: store}
    text: {uri: "gs://text", secretName: gs}
  leases:
    limits: {memory: 64Gi}
    allowedModelUris: ["repo://", "https://example.com", "oci://example.com/models"]`)
	const spec = `
models:
- {name: a, uri: "repo://vision/a"}
- {name: b, uri: "repo://text/b"}
- {name: c, uri: "https://example.com/c.zip"}
- {name: d, uri: "oci://example.com/models/d:1//x"}
triton: {resources: {limits: {memory: 8Gi}}`
	objects, err := lr.TritonLease(tritonLease(t, "vision", spec+"}"))
	require.NoError(t, err)
	pod := objects.Deployment.Spec.Template.Spec
	require.Equal(t, "store", pod.ServiceAccountName)
	require.Equal(t, "fetch-models", pod.InitContainers[0].Name)
	require.Equal(t, "example.com/server:1", pod.InitContainers[0].Image)
	for _, mount := range pod.Containers[0].VolumeMounts {
		require.NotContains(t, mount.Name, "fetch-credentials")
	}
	_, err = lr.TritonLease(tritonLease(t, "text", spec+", volumes: [{name: gs-credentials, emptyDir: {}}], volumeMounts: [{name: fetch-credentials-0, mountPath: /x}]}"))
	for _, message := range []string{
		`spec.models[0].uri: Forbidden: a TritonLease of the namespace text may not use "repo://vision/a": server.modelRepositories.vision.namespaces allows vision`,
		`spec.triton.volumes[0].name: Forbidden: a TritonLease may not have a volume "gs-credentials"`,
		`spec.triton.volumeMounts[0].name: Forbidden: a TritonLease may not mount "fetch-credentials-0"`,
		`spec.triton.volumeMounts[0].name: Not found: "fetch-credentials-0"`,
	} {
		require.ErrorContains(t, err, message)
	}
	_, err = lr.TritonLease(tritonLease(t, "vision", `models: [{name: a, uri: "s3://vision/a"}]`))
	require.ErrorContains(t, err, "server.leases.allowedModelUris allows repo://, https://example.com, oci://example.com/models")
}

// TestImageVolumesNeedKubernetes compares the refusals of the chart and of Go for an old
// Kubernetes.
func TestImageVolumesNeedKubernetes(t *testing.T) {
	t.Parallel()
	text := []byte(`leases: {a: {models: [{name: m, uri: "oci://a"}]}}`)
	for version, supported := range map[string]bool{"v1.32.9": false, "v1.33.0": true, "v1.33.0-alpha.1": true} {
		_, err := newRenderer(render.Options{KubeVersion: version}).Render(release, text)
		_, chart := newRenderer(render.Options{KubeVersion: version, Chart: charts.TMS()}).Render(release, text)
		if supported {
			require.NoError(t, err, version)
			require.NoError(t, chart, version)
			continue
		}
		require.EqualError(t, err, failMessage(chart))
		require.ErrorContains(t, err, "needs Kubernetes 1.33")
	}
}
