package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/pkg/policy"
)

// tritonRequest returns the request of a lease with a triton.
func tritonRequest(t testing.TB, triton string) policy.LeaseRequest {
	t.Helper()
	var request policy.LeaseRequest
	require.NoError(t, yaml.Unmarshal([]byte(triton), &request.Triton))
	return request
}

// every allows all fields, volumes, secrets and tolerations.
func every() policy.LeaseConfig {
	return policy.LeaseConfig{
		AllowedFields: []string{
			"env", "envFrom", "hostIPC", "initContainers", "podTemplate", "resources", "service.type", "service.headless", "tolerations", "volumes",
		},
		AllowedSecrets:     []string{"*"},
		AllowedVolumes:     []string{"emptyDir", "csi", "projected", "secret", "flexVolume"},
		AllowedTolerations: []policy.AllowedToleration{{}},
	}
}

var spec = field.NewPath("spec")

// refusedFields returns the paths of the reasons, and checks that each message names the
// key that decides.
func refusedFields(t testing.TB, reasons field.ErrorList, key string) []string {
	t.Helper()
	fields := []string{}
	for _, reason := range reasons {
		fields = append(fields, reason.Field)
		require.Contains(t, reason.Detail, key)
	}
	return fields
}

func TestCheckFields(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		allowed []string
		triton  string
		service string
		refused []string
	}{
		"nothing":                    {},
		"keys":                       {allowed: []string{"env"}, triton: "{env: [], args: [a], hostIPC: true}", refused: []string{"triton.args", "triton.hostIPC"}},
		"a whole template":           {allowed: []string{"podTemplate"}, triton: "{podTemplate: {spec: {hostPID: true}, metadata: {labels: {a: b}}}}"},
		"a part of a template":       {allowed: []string{"podTemplate.spec.dnsConfig"}, triton: "{podTemplate: {spec: {dnsConfig: {options: [{name: a}]}}}}"},
		"another part":               {allowed: []string{"podTemplate.spec.dnsConfig"}, triton: "{podTemplate: {spec: {dnsConfig: {}, dns: {a: b}, hostPID: null}}}", refused: []string{"triton.podTemplate.spec.dns.a", "triton.podTemplate.spec.hostPID"}},
		"more than the part":         {allowed: []string{"podTemplate.spec.securityContext.fsGroup"}, triton: "{podTemplate: {spec: {securityContext: null}}}", refused: []string{"triton.podTemplate.spec.securityContext"}},
		"an empty template":          {allowed: []string{"podTemplate.spec.dnsConfig"}, triton: "{podTemplate: {}}", refused: []string{"triton.podTemplate"}},
		"an empty map in a template": {allowed: []string{"podTemplate.spec.dnsConfig"}, triton: "{podTemplate: {spec: {containers: {}}}}", refused: []string{"triton.podTemplate.spec.containers"}},
		"a list is one field":        {allowed: []string{"podTemplate.spec.containers"}, triton: "{podTemplate: {spec: {containers: [{name: triton}], volumes: [{name: a}]}}}", refused: []string{"triton.podTemplate.spec.volumes"}},
		"a key with a dot":           {allowed: []string{"podTemplate.spec.dnsConfig"}, triton: "{podTemplate: {spec.dnsConfig: {a: b}}}", refused: []string{"triton.podTemplate.spec.dnsConfig.a"}},
		"a longer name":              {allowed: []string{"podTemplate.spec.dns"}, triton: "{podTemplate: {spec: {dnsConfig: 1}}}", refused: []string{"triton.podTemplate.spec.dnsConfig"}},
		"a Service":                  {allowed: []string{"service.type"}, service: "{type: NodePort, headless: true, annotations: {a: b}}", refused: []string{"service.annotations", "service.headless"}},
		"not the Service":            {allowed: []string{"env"}, service: "{env: a}", refused: []string{"service.env"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tritonRequest(t, test.triton)
			require.NoError(t, yaml.Unmarshal([]byte(test.service), &r.Service))
			bounds := leaseBounds(t, policy.LeaseConfig{AllowedFields: test.allowed, AllowedVolumes: []string{"emptyDir"}})
			want := []string{}
			for _, path := range test.refused {
				want = append(want, "spec."+path)
			}
			require.Equal(t, want, refusedFields(t, bounds.CheckRequest(spec, r, nil), "server.leases.allowedFields"))
		})
	}
	reasons := leaseBounds(t, policy.LeaseConfig{}).CheckRequest(spec, tritonRequest(t, "{hostIPC: true}"), nil)
	require.EqualError(t, reasons[0], "spec.triton.hostIPC: Forbidden: a TritonLease may not set it: it is not in server.leases.allowedFields; an administrator sets it in the values of the release")
}

func TestCheckVolumes(t *testing.T) {
	t.Parallel()
	config := every()
	config.AllowedVolumes = []string{"emptyDir", "persistentVolumeClaim"}
	bounds := leaseBounds(t, config)
	reasons := bounds.CheckRequest(spec, tritonRequest(t, `
volumes:
- {name: a, emptyDir: {}}
- {name: b, persistentVolumeClaim: {claimName: c}}
- {name: c, hostPath: {path: /}}
- {name: d, emptyDir: {}, nfs: null}
- {name: e}
- text
podTemplate: {spec: {volumes: [{name: f, image: {reference: a}}, {name: g, emptyDir: {}}]}}`), policy.Allowlist{"a"})
	require.Equal(t, []string{
		"spec.triton.volumes[2].hostPath", "spec.triton.volumes[3].nfs", "spec.triton.podTemplate.spec.volumes[0].image",
	}, refusedFields(t, reasons, "server.leases.allowedVolumes"))
}

func TestCheckVariables(t *testing.T) {
	t.Parallel()
	request := tritonRequest(t, `
env: [{name: NVIDIA_VISIBLE_DEVICES, value: all}, {name: CUDA_VISIBLE_DEVICES, value: "0"}]
initContainers: [{name: a, env: [{name: AMD_VISIBLE_DEVICES, valueFrom: {configMapKeyRef: {name: a, key: k}}}]}]
podTemplate: {spec: {containers: [{name: triton, env: [{name: A}, {name: NVIDIA_IMEX_CHANNELS}]}]}}`)
	config := every()
	for standard, refused := range map[string][]string{
		"":           {"spec.triton.env[0].name", "spec.triton.initContainers[0].env[0].name", "spec.triton.podTemplate.spec.containers[0].env[1].name"},
		"baseline":   {"spec.triton.env[0].name", "spec.triton.initContainers[0].env[0].name", "spec.triton.podTemplate.spec.containers[0].env[1].name"},
		"privileged": {},
	} {
		config.PodSecurityStandard = standard
		require.Equal(t, refused, refusedFields(t, leaseBounds(t, config).CheckRequest(spec, request, policy.Allowlist{""}), "GPUs that the limits"))
	}
}

const secrets = `
env:
- {name: A, value: a}
- {name: B, valueFrom: {secretKeyRef: {name: mine, key: k}}}
- {name: C, valueFrom: {secretKeyRef: {name: other, key: k}}}
- {name: D, valueFrom: {configMapKeyRef: {name: other, key: k}}}
envFrom: [{secretRef: {name: other}}, {configMapRef: {name: other}}, {secretRef: {name: mine}}]
initContainers:
- {name: a, env: [{name: A, valueFrom: {secretKeyRef: {name: other, key: k}}}], envFrom: [{secretRef: {name: other}}]}
volumes:
- {name: a, secret: {secretName: other}}
- {name: b, secret: {secretName: mine}}
- {name: c, projected: {sources: [{secret: {name: mine}}, {secret: {name: other}}, {serviceAccountToken: {path: token}}, {configMap: {name: other}}]}}
- {name: d, csi: {driver: x, nodePublishSecretRef: {name: other}}}
- {name: e, flexVolume: {secretRef: {name: other}}}
podTemplate:
  spec:
    imagePullSecrets: [{name: other}, {name: mine}, {}]
    containers: [{name: triton, env: [{name: A, valueFrom: {secretKeyRef: {name: other}}}]}]
    initContainers: [{name: a, envFrom: [{secretRef: {name: other}}]}]
    volumes: [{name: f, secret: {secretName: other}}]
`

func TestCheckSecrets(t *testing.T) {
	t.Parallel()
	named := []string{
		"spec.triton.env[2].valueFrom.secretKeyRef.name", "spec.triton.envFrom[0].secretRef.name",
		"spec.triton.initContainers[0].env[0].valueFrom.secretKeyRef.name", "spec.triton.initContainers[0].envFrom[0].secretRef.name",
		"spec.triton.volumes[0].secret.secretName", "spec.triton.volumes[2].projected.sources[1].secret.name",
		"spec.triton.volumes[3].csi.nodePublishSecretRef.name", "spec.triton.volumes[4].flexVolume.secretRef.name",
		"spec.triton.podTemplate.spec.initContainers[0].envFrom[0].secretRef.name",
		"spec.triton.podTemplate.spec.containers[0].env[0].valueFrom.secretKeyRef.name",
		"spec.triton.podTemplate.spec.volumes[0].secret.secretName", "spec.triton.podTemplate.spec.imagePullSecrets[0].name",
	}
	for name, test := range map[string]struct {
		allowed []string
		beside  bool
		refused []string
	}{
		"one":                       {allowed: []string{"mine"}, refused: named},
		"all":                       {allowed: []string{"*"}, refused: []string{}},
		"all, beside tms-server":    {allowed: []string{"*", "mine"}, beside: true, refused: named},
		"listed, beside tms-server": {allowed: []string{"mine", "other"}, beside: true, refused: []string{}},
	} {
		config := every()
		config.AllowedSecrets = test.allowed
		r := tritonRequest(t, secrets)
		r.InReleaseNamespace = test.beside
		require.Equal(t, test.refused, refusedFields(t, leaseBounds(t, config).CheckRequest(spec, r, nil), "server.leases.allowedSecrets"), name)
	}
}

func TestCheckVariableSources(t *testing.T) {
	t.Parallel()
	reasons := leaseBounds(t, every()).CheckRequest(spec, tritonRequest(t, `
env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: B, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}, {name: C, valueFrom: {fileKeyRef: null}}]
podTemplate: {spec: {containers: [{env: [{name: D, valueFrom: {vaultRef: {}, secretKeyRef: {name: a}}}]}]}}`), nil)
	require.Equal(t, []string{
		`spec.triton.env[2].valueFrom: Unsupported value: "fileKeyRef": supported values: "configMapKeyRef", "fieldRef", "resourceFieldRef", "secretKeyRef"`,
		`spec.triton.podTemplate.spec.containers[0].env[0].valueFrom: Unsupported value: "vaultRef": supported values: "configMapKeyRef", "fieldRef", "resourceFieldRef", "secretKeyRef"`,
	}, messages(reasons))
}

func TestCheckTolerations(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		entry      policy.AllowedToleration
		toleration string
		allowed    bool
	}{
		"the key":                         {policy.AllowedToleration{Key: "a"}, "{key: a, operator: Exists, effect: NoSchedule}", true},
		"the key, all effects":            {policy.AllowedToleration{Key: "a"}, "{key: a, operator: Exists}", true},
		"the key with a value":            {policy.AllowedToleration{Key: "a"}, "{key: a, value: x}", true},
		"another key":                     {policy.AllowedToleration{Key: "a"}, "{key: b, operator: Exists}", false},
		"every key":                       {policy.AllowedToleration{Key: "a"}, "{operator: Exists}", false},
		"a null as key":                   {policy.AllowedToleration{Key: "a"}, "{key: null, operator: Exists}", false},
		"every key, allowed":              {policy.AllowedToleration{}, "{operator: Exists}", true},
		"every key of one effect":         {policy.AllowedToleration{Effect: "NoSchedule"}, "{operator: Exists}", false},
		"any key of one effect":           {policy.AllowedToleration{Effect: "NoSchedule"}, "{key: b, operator: Exists, effect: NoSchedule}", true},
		"one effect":                      {policy.AllowedToleration{Key: "a", Effect: "NoSchedule"}, "{key: a, effect: NoSchedule}", true},
		"all effects":                     {policy.AllowedToleration{Key: "a", Effect: "NoSchedule"}, "{key: a}", false},
		"one value":                       {policy.AllowedToleration{Key: "a", Value: "x"}, "{key: a, value: x}", true},
		"one value, spelled Equal":        {policy.AllowedToleration{Key: "a", Operator: "Equal", Value: "x"}, "{key: a, operator: Equal, value: x}", true},
		"another value":                   {policy.AllowedToleration{Key: "a", Value: "x"}, "{key: a, value: y}", false},
		"all values":                      {policy.AllowedToleration{Key: "a", Value: "x"}, "{key: a, operator: Exists}", false},
		"all values, and the value":       {policy.AllowedToleration{Key: "a", Value: "x"}, "{key: a, operator: Exists, value: x}", false},
		"numbers above the value":         {policy.AllowedToleration{Key: "a", Value: "1"}, "{key: a, operator: Gt, value: '1'}", false},
		"another operator":                {policy.AllowedToleration{Key: "a", Operator: "Equal"}, "{key: a, operator: Exists}", false},
		"the default operator":            {policy.AllowedToleration{Key: "a", Operator: "Equal"}, "{key: a, value: x}", true},
		"the default operator, not named": {policy.AllowedToleration{Key: "a", Operator: "Exists"}, "{key: a, value: x}", false},
		"for some seconds":                {policy.AllowedToleration{Key: "a"}, "{key: a, operator: Exists, tolerationSeconds: 5}", true},
	} {
		config := every()
		config.AllowedTolerations = []policy.AllowedToleration{{Key: "z"}, test.entry}
		for at, triton := range map[string]string{
			"spec.triton.tolerations[0]":                  "tolerations: [" + test.toleration + "]",
			"spec.triton.podTemplate.spec.tolerations[0]": "podTemplate: {spec: {tolerations: [" + test.toleration + "]}}",
		} {
			want := []string{at}
			if test.allowed {
				want = []string{}
			}
			require.Equal(t, want, refusedFields(t, leaseBounds(t, config).CheckRequest(spec, tritonRequest(t, triton), nil), "server.leases.allowedTolerations"), name)
		}
	}
}

func TestCheckImages(t *testing.T) {
	t.Parallel()
	config := every()
	config.AllowedVolumes = append(config.AllowedVolumes, "image")
	reasons := leaseBounds(t, config).CheckRequest(spec, tritonRequest(t, `
initContainers: [{name: a, image: mine}, {name: b, image: other}, {name: c}]
volumes: [{name: a, image: {reference: mine}}, {name: b, image: {reference: other}}]
podTemplate: {spec: {volumes: [{name: c, image: {reference: other}}], containers: [{name: triton}, {name: d, image: other}], initContainers: [{image: other}], ephemeralContainers: [{image: other}]}}`), policy.Allowlist{"mine"})
	require.Equal(t, []string{
		"spec.triton.initContainers[1].image", "spec.triton.volumes[1].image.reference", "spec.triton.podTemplate.spec.initContainers[0].image",
		"spec.triton.podTemplate.spec.containers[1].image", "spec.triton.podTemplate.spec.ephemeralContainers[0].image",
		"spec.triton.podTemplate.spec.volumes[0].image.reference",
	}, refusedFields(t, reasons, "images.triton or in server.allowlist"))
}

func TestCheckTarget(t *testing.T) {
	t.Parallel()
	for allowed, needsLabel := range map[string]bool{"": true, "Labelled": true, "All": false, "None": false} {
		bounds := leaseBounds(t, policy.LeaseConfig{AllowedTargets: allowed})
		require.Equal(t, needsLabel, bounds.TargetsNeedLabel(), allowed)
		require.Empty(t, bounds.CheckRequest(spec, policy.LeaseRequest{}, nil))
		reasons := bounds.CheckRequest(spec, policy.LeaseRequest{Target: true}, nil)
		if allowed != "None" {
			require.Empty(t, reasons, allowed)
			continue
		}
		require.Len(t, reasons, 1)
		require.EqualError(t, reasons[0],
			"spec.target: Forbidden: a TritonLease may not have a target, because server.leases.allowedTargets is None; an administrator sets it in the values of the release")
	}
}
