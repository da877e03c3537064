//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// notAllowed is the reason for a field that is not in server.leases.allowedFields.
const notAllowed = "Forbidden: a TritonLease may not set it: it is not in server.leases.allowedFields; an administrator sets it in the values of the release"

// formerFields are the values with which leases may set what they could set before there
// were bounds.
const formerFields = `server: {leases: {allowedFields: [affinity, args, command, connectionAgeSeconds, dnsPolicy, env, envFrom, imagePullPolicy,
  lifecycle, nodeSelector, podAnnotations, podDisruptionBudget, podLabels, podSecurityContext, priorityClassName, probes, progressDeadlineSeconds,
  replicas, resourceClaims, resources, schedulerName, securityContext, serviceAccountName, sharedMemorySize, strategy,
  terminationGracePeriodSeconds, tolerations, topologySpreadConstraints, volumeMounts, volumes]}}`

// everyField are values that allow everything that does not reach the node.
const everyField = `server: {leases: {podSecurityStandard: privileged, allowedSecrets: ["*"],
  allowedVolumes: [configMap, csi, downwardAPI, emptyDir, persistentVolumeClaim, projected, secret],
  allowedFields: [args, command, env, envFrom, initContainers, podLabels, podTemplate, serviceAccountName, volumeMounts, volumes]}}`

// TestLeaseAttackIdentity is a tenant who may edit leases in the namespace of tms-server,
// and tries to become the server in each way that a pod has. It also tries each field that
// leases may not set by default.
func TestLeaseAttackIdentity(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "lease-attack-identity")
	l := s.ownLeases(3)
	tenant := l.tenant("mallory")
	l.triesFields(tenant)

	// What the server has, and a token of it, as an administrator may have stored one.
	s.certify(s.newAuthority(l.namespace), l.namespace)
	s.must(h.Cluster.Apply(s.Context(), fmt.Sprintf(`{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token,
  metadata: {name: server-token, namespace: %s, annotations: {kubernetes.io/service-account.name: tms-server}}}`, l.namespace)))
	l.configure(formerFields)
	const account, secret, volume = "which is that of tms-server", "a TritonLease may not refer to the secret", "a TritonLease may not have a volume of this type"
	attacks := map[string]struct{ triton, reason string }{
		"account":          {`serviceAccountName: tms-server`, account},
		"projected-token":  {`volumes: [{name: token, projected: {sources: [{serviceAccountToken: {path: token}}]}}]`, volume},
		"projected-secret": {`volumes: [{name: token, projected: {sources: [{secret: {name: server-token}}]}}]`, volume},
		"secret-volume":    {`volumes: [{name: token, secret: {secretName: server-token}}]`, volume},
		"node":             {`volumes: [{name: pods, hostPath: {path: /var/lib/kubelet/pods}}]`, volume},
		"token-env":        {`env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: server-token, key: token}}}]`, secret},
		"token-env-from":   {`envFrom: [{secretRef: {name: server-token}}]`, secret},
		"key-env":          {`env: [{name: KEY, valueFrom: {secretKeyRef: {name: ` + apiSecret + `, key: tls.key}}}]`, secret},
		"key-env-from":     {`envFrom: [{secretRef: {name: ` + apiSecret + `}}]`, secret},
		"template-account": {`podTemplate: {spec: {serviceAccountName: tms-server}}`, notAllowed},
		"template-old":     {`podTemplate: {spec: {serviceAccount: tms-server}}`, notAllowed},
		"template-token":   {`podTemplate: {spec: {automountServiceAccountToken: true}}`, notAllowed},
		"init":             {`initContainers: [{name: init, image: IMAGE, envFrom: [{secretRef: {name: server-token}}]}]`, notAllowed},
		"host-network":     {`podTemplate: {spec: {hostNetwork: true}}`, notAllowed},
		"host-ipc":         {`hostIPC: true`, notAllowed},
	}
	l.attack(tenant, attacks)

	s.step("the administrator allows all fields, volumes and secrets")
	l.configure(everyField)
	label := "app.kubernetes.io/component"
	l.attack(tenant, map[string]struct{ triton, reason string }{
		"account":            {`serviceAccountName: tms-server`, account},
		"template-account":   {`podTemplate: {spec: {serviceAccountName: tms-server}}`, account},
		"template-old":       {`podTemplate: {spec: {serviceAccount: tms-server}}`, account},
		"template-service":   {`podTemplate: {metadata: {labels: {` + label + `: server}}}`, label},
		"secret-volume":      {`volumes: [{name: token, secret: {secretName: server-token}}]`, secret},
		"projected-secret":   {`volumes: [{name: token, projected: {sources: [{secret: {name: server-token}}]}}]`, secret},
		"template-volume":    {`podTemplate: {spec: {volumes: [{name: token, secret: {secretName: server-token}}]}}`, secret},
		"token-env":          {`env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: server-token, key: token}}}]`, secret},
		"token-env-from":     {`envFrom: [{secretRef: {name: server-token}}]`, secret},
		"key-env-from":       {`envFrom: [{secretRef: {name: ` + apiSecret + `}}]`, secret},
		"template-env":       {`podTemplate: {spec: {containers: [{name: triton, envFrom: [{secretRef: {name: server-token}}]}]}}`, secret},
		"template-init":      {`podTemplate: {spec: {initContainers: [{name: init, image: IMAGE, envFrom: [{secretRef: {name: server-token}}]}]}}`, secret},
		"init":               {`initContainers: [{name: init, image: IMAGE, envFrom: [{secretRef: {name: server-token}}]}]`, secret},
		"foreign-image":      {`initContainers: [{name: init, image: example.com/attack:1}]`, "spec.triton.initContainers[0].image"},
		"template-container": {`podTemplate: {spec: {containers: [{name: sidecar, image: example.com/attack:1}]}}`, "spec.triton.podTemplate.spec.containers[0].image"},
	})
	pods, err := h.Cluster.Client.CoreV1().Pods(l.namespace).List(s.Context(), metav1.ListOptions{LabelSelector: "tms.triton-leases.dev/lease"})
	s.must(err)
	if len(pods.Items) > 0 {
		s.fatal("%d pods of refused leases exist", len(pods.Items))
	}
}

// attack applies leases as a tenant. Each must be refused, with no objects.
func (l *leases) attack(tenant string, attacks map[string]struct{ triton, reason string }) {
	l.Helper()
	for name, attack := range attacks {
		l.must(l.tryAs(tenant, name, "{"+vision+", triton: {"+strings.ReplaceAll(attack.triton, "IMAGE", allowed)+"}}"))
	}
	for name, attack := range attacks {
		l.is(name, "Granted", metav1.ConditionFalse, "Refused", attack.reason)
		l.has(name, "")
	}
	l.step("%d attacks are refused", len(attacks))
	for name := range attacks {
		l.delete(name)
	}
}

// tenant creates a service account that may edit the leases of the namespace, and returns
// its user name.
func (l *leases) tenant(name string) string {
	l.Helper()
	_, err := l.cluster.Kubectl(l.Context(), "", "create", "serviceaccount", name, "-n", l.namespace)
	l.must(err)
	_, err = l.cluster.Kubectl(l.Context(), "", "create", "rolebinding", name, "-n", l.namespace,
		"--clusterrole=tms-tritonleases-edit."+shared.release.Namespace, "--serviceaccount="+l.namespace+":"+name)
	l.must(err)
	user := "system:serviceaccount:" + l.namespace + ":" + name
	l.eventually(name+" may create leases", func() (bool, string) {
		out, _ := l.cluster.Kubectl(l.Context(), "", "auth", "can-i", "create", "tl", "-n", l.namespace, "--as", user)
		return strings.TrimSpace(out.Stdout) == "yes", out.Stdout
	})
	return user
}

// tryAs applies a lease as another user.
func (l *leases) tryAs(user, name, spec string, flags ...string) error {
	_, err := l.cluster.Kubectl(l.Context(), fmt.Sprintf(
		"{apiVersion: tms.triton-leases.dev/v1alpha1, kind: TritonLease, metadata: {name: %s, namespace: %s}, spec: %s}", name, l.namespace, spec),
		append([]string{"apply", "--as", user, "-f", "-"}, flags...)...)
	return err
}

// triesFields applies a lease for each field that the chart's values do not list in
// server.leases.allowedFields.
func (l *leases) triesFields(tenant string) {
	l.Helper()
	text, err := os.ReadFile(filepath.Join(h.Chart, "values.yaml"))
	l.must(err)
	var values struct {
		Server struct {
			Leases struct{ AllowedFields []string }
		}
		Triton  map[string]any
		Service map[string]any
	}
	l.must(yaml.Unmarshal(text, &values))
	attempts := map[string]string{}
	for key := range values.Triton {
		if !slices.Contains(values.Server.Leases.AllowedFields, key) && key != "podTemplate" {
			attempts["triton."+key] = fmt.Sprintf("triton: {%s: %s}", key, fieldValues[key])
		}
	}
	for key := range values.Service {
		if !slices.Contains(values.Server.Leases.AllowedFields, "service."+key) {
			attempts["service."+key] = fmt.Sprintf("service: {%s: %s}", key, fieldValues["service."+key])
		}
	}
	for part, value := range map[string]string{
		"metadata.labels.a": "{metadata: {labels: {a: b}}}", "spec.hostPID": "{spec: {hostPID: true}}", "spec.nodeName": "{spec: {nodeName: node}}",
	} {
		attempts["triton.podTemplate."+part] = "triton: {podTemplate: " + value + "}"
	}
	if len(attempts) < 15 {
		l.fatal("only %d fields are not allowed: %v", len(attempts), slices.Collect(maps.Keys(attempts)))
	}
	names := map[string]string{}
	for field, part := range attempts {
		if strings.HasSuffix(part, ": }") {
			l.fatal("fieldValues has no value for %s", field)
		}
		names[field] = strings.ToLower(strings.ReplaceAll(field, ".", "-"))
		l.must(l.tryAs(tenant, names[field], "{"+vision+", "+part+"}"))
	}
	for field := range attempts {
		l.is(names[field], "Granted", metav1.ConditionFalse, "Refused", "spec."+field+": "+notAllowed)
		l.has(names[field], "")
	}
	l.step("%d fields are refused", len(attempts))
	for field := range attempts {
		l.delete(names[field])
	}
}

// fieldValues are valid values of the fields that leases may not set by default.
var fieldValues = map[string]string{
	"command": "[tritonserver]", "dnsPolicy": "Default", "hostIPC": "true", "initContainers": "[{name: init, image: " + allowed + "}]",
	"lifecycle": "{preStop: {sleep: {seconds: 1}}}", "podAnnotations": "{a: b}", "podLabels": "{a: b}", "podSecurityContext": "{runAsUser: 2000}",
	"priorityClassName": "system-cluster-critical", "resourceClaims": "[{name: gpu, resourceClaimName: gpu}]", "runtimeClassName": "other",
	"schedulerName": "other", "securityContext": "{privileged: true}", "serviceAccountName": "tms-server",
	"strategy": "{type: Recreate}", "terminationGracePeriodSeconds": "86400",
	"service.type": "NodePort", "service.annotations": "{a: b}", "service.labels": "{a: b}", "service.headless": "false",
}
