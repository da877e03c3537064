package leasepod_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/leasepod"
	"github.com/triton-leases/tms/pkg/policy"
)

var spec = field.NewPath("spec")

func boundsOf(t testing.TB, config policy.LeaseConfig) *policy.LeaseBounds {
	t.Helper()
	config.Duration = policy.DurationBounds{Default: "1h", Maximum: "1h"}
	config.AutoRenew = policy.RenewalBounds{Interval: "1h"}
	bounds, err := policy.NewLeaseBounds(config, "1m")
	require.NoError(t, err)
	return bounds
}

// judge judges a template of pods.
func judge(t testing.TB, config policy.LeaseConfig, text string) leasepod.Verdict {
	t.Helper()
	template := new(corev1.PodTemplateSpec)
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), template))
	return leasepod.Judge(boundsOf(t, config), spec, template)
}

func messages(reasons field.ErrorList) []string {
	var all []string
	for _, reason := range reasons {
		all = append(all, reason.Error())
	}
	return all
}

func TestSecurity(t *testing.T) {
	t.Parallel()
	const restricted = "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: triton, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]"
	const host = "spec.triton.hostIPC or spec.triton.podTemplate.spec"
	message := func(found, keys, standard string) string {
		return "spec.triton: Forbidden: " + found + ": change " + keys + ": the pod must meet the Pod Security Standard " + standard +
			", also with the defaults of triton (server.leases.podSecurityStandard); an administrator sets it in the values of the release"
	}
	for name, test := range map[string]struct {
		standard, spec string
		refused        []string
	}{
		"restricted":               {"restricted", restricted, nil},
		"restricted by default":    {"", restricted + ", hostNetwork: true", []string{message("host namespaces (hostNetwork=true)", host, "restricted")}},
		"baseline is not enough":   {"restricted", restricted + ", volumes: [{name: a, nfs: {server: a, path: /}}]", []string{message(`restricted volume types (volume "a" uses restricted volume type "nfs")`, "spec.triton.volumes", "restricted")}},
		"another user":             {"restricted", strings.Replace(restricted, "runAsNonRoot: true", "runAsNonRoot: true, runAsUser: 0", 1), []string{message("runAsUser=0 (pod must not set runAsUser=0)", "spec.triton.podSecurityContext or spec.triton.securityContext", "restricted")}},
		"baseline":                 {"baseline", "containers: [{name: triton}]", nil},
		"less than baseline":       {"baseline", "containers: [{name: triton, securityContext: {privileged: true}}], hostIPC: true, volumes: [{name: a, hostPath: {path: /}}]", []string{message("host namespaces (hostIPC=true)", host, "baseline"), message(`hostPath volumes (volume "a")`, "spec.triton.volumes", "baseline"), message(`privileged (container "triton" must not set securityContext.privileged=true)`, "spec.triton.securityContext", "baseline")}},
		"privileged is everything": {"privileged", "containers: [{name: triton, securityContext: {privileged: true}}]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.refused, messages(judge(t, policy.LeaseConfig{PodSecurityStandard: test.standard}, "spec: {"+test.spec+"}").Refused))
		})
	}
}

// TestBecomeServer: the pods of a lease must not be taken for those of tms-server.
func TestBecomeServer(t *testing.T) {
	t.Parallel()
	config := policy.LeaseConfig{PodSecurityStandard: "privileged"}
	for text, refused := range map[string]bool{
		"{}": false, "{serviceAccountName: other}": false,
		"{serviceAccountName: tms-server}": true, "{serviceAccount: tms-server}": true,
		"{serviceAccountName: other, serviceAccount: tms-server}": false, // Kubernetes ignores serviceAccount
		"{serviceAccountName: tms-server, serviceAccount: other}": true,
	} {
		reasons := judge(t, config, "spec: "+text).CheckServiceAccount(spec, "tms-server")
		require.Equal(t, refused, len(reasons) == 1, text)
	}
	require.Empty(t, judge(t, config, "metadata: {labels: {app.kubernetes.io/component: triton}}").Refused)
	require.EqualError(t, judge(t, config, "metadata: {labels: {app.kubernetes.io/component: server}}").Refused[0],
		`spec.triton.podTemplate.metadata.labels[app.kubernetes.io/component]: Invalid value: "server": must not be server: the Service of tms-server selects pods by this label`)
}
