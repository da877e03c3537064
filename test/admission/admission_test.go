// Package admission_test evaluates the ValidatingAdmissionPolicies of the chart with the
// admission plugin of the API server.
package admission_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// renderer renders the chart. All tests share it.
var renderer = sync.OnceValues(func() (*render.Renderer, error) { return render.New(render.Options{}) })

var release = render.Release{Name: "tms", Namespace: "inference"}

// server are values that install tms-server and the policies.
var server = []byte("{server: {enabled: true, admissionPolicy: {enabled: true}}, images: {server: \"registry.example.com/tms-server:0.1.0\"}}")

// admitter is the admission plugin of the API server.
type admitter struct {
	*testing.T
	plugin *validating.Plugin
}

// newAdmitter returns the API server's plugin with the policies that the values render.
// The user may do what a callback allows.
func newAdmitter(t *testing.T, allows func(authorizer.Attributes) bool, values ...[]byte) *admitter {
	t.Helper()
	var objects []runtime.Object
	for _, name := range []string{"vision", "inference", "elsewhere"} {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/metadata.name": name}}})
	}
	r, err := renderer()
	require.NoError(t, err)
	result, err := r.Render(release, append([][]byte{server}, values...)...)
	require.NoError(t, err)
	for document := range result.Documents() {
		switch document.Kind {
		case "ValidatingAdmissionPolicy":
			p := new(admissionv1.ValidatingAdmissionPolicy)
			require.NoError(t, document.Decode(p))
			// The defaults of the API server.
			m, equivalent := p.Spec.MatchConstraints, admissionv1.Equivalent
			m.MatchPolicy = &equivalent
			for _, selector := range []**metav1.LabelSelector{&m.NamespaceSelector, &m.ObjectSelector} {
				if *selector == nil {
					*selector = new(metav1.LabelSelector)
				}
			}
			objects = append(objects, p)
		case "ValidatingAdmissionPolicyBinding":
			b := new(admissionv1.ValidatingAdmissionPolicyBinding)
			require.NoError(t, document.Decode(b))
			objects = append(objects, b)
		}
	}
	client := fake.NewClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	plugin, err := validating.NewPlugin(nil)
	require.NoError(t, err)
	plugin.SetExternalKubeClientSet(client)
	plugin.SetExternalKubeInformerFactory(factory)
	plugin.SetDynamicClient(dynamicfake.NewSimpleDynamicClient(scheme.Scheme))
	plugin.SetRESTMapper(meta.NewDefaultRESTMapper(nil))
	plugin.SetDrainedNotification(t.Context().Done())
	plugin.SetUnconditionalAuthorizer(authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		if allows != nil && allows(a) {
			return authorizer.DecisionAllow, "", nil
		}
		return authorizer.DecisionNoOpinion, "", nil
	}))
	require.NoError(t, plugin.ValidateInitialization())
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	require.True(t, plugin.WaitForReady())
	return &admitter{t, plugin}
}

// object is a Kubernetes object as it is in a request.
type object = map[string]any

// try returns what the policies say about a request of a user. It creates the object if
// the old one is nil.
func (a *admitter) try(resource, subresource string, old, changed object) string {
	a.Helper()
	u := &unstructured.Unstructured{Object: changed}
	operation, options, former := admission.Create, runtime.Object(new(metav1.CreateOptions)), runtime.Object(nil)
	if old != nil {
		operation, options, former = admission.Update, new(metav1.UpdateOptions), &unstructured.Unstructured{Object: old}
	}
	gvk := u.GroupVersionKind()
	gvr := gvk.GroupVersion().WithResource(resource)
	if subresource != "" {
		gvr = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: resource}
	}
	attributes := admission.NewAttributesRecord(u, former, gvk, u.GetNamespace(), u.GetName(), gvr, subresource, operation, options, false, &user.DefaultInfo{Name: "tenant"})
	err := a.plugin.Validate(a.Context(), attributes, admission.NewObjectInterfacesFromScheme(scheme.Scheme))
	if err == nil {
		return ""
	}
	return err.Error()
}

func (a *admitter) admits(resource, subresource string, old, changed object) {
	a.Helper()
	require.Empty(a, a.try(resource, subresource, old, changed))
}

func (a *admitter) refuses(message, resource, subresource string, old, changed object) {
	a.Helper()
	require.Contains(a, a.try(resource, subresource, old, changed), message)
}

// objectsOf renders a TritonLease in the namespace vision, and returns its Deployment and
// its HorizontalPodAutoscaler.
func objectsOf(t *testing.T, spec string, values ...[]byte) (deployment, autoscaler object) {
	t.Helper()
	objects, err := leaseRenderer(t, values...).TritonLease(tritonLease(t, spec))
	require.NoError(t, err)
	deployment = asObject(t, objects.Deployment)
	if objects.HorizontalPodAutoscaler != nil {
		autoscaler = asObject(t, objects.HorizontalPodAutoscaler)
	}
	return deployment, autoscaler
}

// leaseRenderer returns what tms-server judges TritonLeases with.
func leaseRenderer(t *testing.T, values ...[]byte) *render.LeaseRenderer {
	t.Helper()
	input := new(render.Input)
	for _, text := range values {
		require.NoError(t, input.Add(text))
	}
	r, err := renderer()
	require.NoError(t, err)
	lr, err := r.LeaseRenderer(render.Release{Name: release.Name, Namespace: release.Namespace, Controller: true}, input)
	require.NoError(t, err)
	return lr
}

func tritonLease(t *testing.T, spec string) *v1alpha1.TritonLease {
	t.Helper()
	lease := new(v1alpha1.TritonLease)
	require.NoError(t, yaml.Unmarshal(fmt.Appendf(nil,
		"{apiVersion: tms.triton-leases.dev/v1alpha1, kind: TritonLease, metadata: {name: resnet50, namespace: vision}, spec: %s}", spec), lease))
	return lease
}

func asObject(t *testing.T, typed any) object {
	t.Helper()
	o, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	require.NoError(t, err)
	return o
}

// with returns a copy of an object with a field set to a value in YAML.
func with(t *testing.T, o object, value string, path ...string) object {
	t.Helper()
	o = runtime.DeepCopyJSON(o)
	text, err := yaml.YAMLToJSON([]byte(value))
	require.NoError(t, err)
	var v any
	require.NoError(t, json.Unmarshal(text, &v))
	require.NoError(t, unstructured.SetNestedField(o, v, path...))
	return o
}

const models = `models: [{name: m, uri: "s3://a/b"}]`

const (
	autoscalers   = "horizontalpodautoscalers"
	scaledObjects = "scaledobjects"
	deployments   = "deployments"
)

var autoscaling = []byte("server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}}}}")

// TestAdmissionOfAutoscalers changes the HorizontalPodAutoscaler of a TritonLease.
func TestAdmissionOfAutoscalers(t *testing.T) {
	t.Parallel()
	_, hpa := objectsOf(t, `{`+models+`, autoscaling: {enable: true, replicas: {minimum: 1, maximum: 10}}}`, autoscaling)
	a := newAdmitter(t, nil, autoscaling)
	const above, below, lowest = "spec.maxReplicas: Forbidden: must not exceed server.autoscaling.replicas.limits.maximum (10)",
		"spec.minReplicas: Forbidden: must not exceed server.autoscaling.replicas.limits.minimum.upperBound (2)",
		"spec.minReplicas: Forbidden: must be at least server.autoscaling.replicas.limits.minimum.lowerBound (1)"
	set := func(o object, key, value string) object { return with(t, o, value, "spec", key) }

	a.admits(autoscalers, "", nil, hpa)
	a.admits(autoscalers, "", nil, set(set(hpa, "minReplicas", "2"), "maxReplicas", "3"))
	a.refuses(above, autoscalers, "", nil, set(hpa, "maxReplicas", "11"))
	a.refuses(above, autoscalers, "", hpa, set(hpa, "maxReplicas", "11"))
	a.refuses(below, autoscalers, "", hpa, set(hpa, "minReplicas", "3"))
	a.refuses(below, autoscalers, "", nil, set(hpa, "minReplicas", "3"))
	a.refuses(lowest, autoscalers, "", hpa, set(hpa, "minReplicas", "0"))
	a.refuses(lowest, autoscalers, "", nil, set(hpa, "minReplicas", "0"))

	// An autoscaler from before the bounds.
	old := set(set(hpa, "maxReplicas", "50"), "minReplicas", "20")
	a.admits(autoscalers, "", old, with(t, old, "{a: b}", "metadata", "annotations"))
	a.admits(autoscalers, "", old, set(set(old, "maxReplicas", "40"), "minReplicas", "19"))
	a.refuses(above, autoscalers, "", old, set(old, "maxReplicas", "51"))
	a.refuses(below, autoscalers, "", old, set(old, "minReplicas", "21"))
	a.admits(autoscalers, "", set(hpa, "minReplicas", "0"), set(hpa, "minReplicas", "0"))

	a.refuses(above, autoscalers, "", hpa, with(t, set(hpa, "maxReplicas", "11"), "{}", "metadata", "labels"))
	a.othersAreFree(autoscalers, set(hpa, "maxReplicas", "99"))
}

// TestAdmissionOfScaledObjects changes the ScaledObject of a TritonLease.
func TestAdmissionOfScaledObjects(t *testing.T) {
	t.Parallel()
	keda := []byte("server: {autoscaling: {enable: true, source: keda, prometheus: {address: http://prometheus}, metrics: {queueTime: {enabled: true}}, replicas: {limits: {maximum: 20}}}}")
	objects, err := leaseRenderer(t, keda).TritonLease(tritonLease(t, `{`+models+`, autoscaling: {enable: true, replicas: {minimum: 1, maximum: 20}}}`))
	require.NoError(t, err)
	require.Nil(t, objects.HorizontalPodAutoscaler)
	scaled := asObject(t, objects.ScaledObject)
	a := newAdmitter(t, nil, keda)
	const above, below, lowest = "spec.maxReplicaCount: Forbidden: must not exceed server.autoscaling.replicas.limits.maximum (20)",
		"spec.minReplicaCount: Forbidden: must not exceed server.autoscaling.replicas.limits.minimum.upperBound (2)",
		"spec.minReplicaCount: Forbidden: must be at least server.autoscaling.replicas.limits.minimum.lowerBound (1)"
	set := func(o object, key, value string) object { return with(t, o, value, "spec", key) }
	without := func(o object, key string) object {
		o = runtime.DeepCopyJSON(o)
		unstructured.RemoveNestedField(o, "spec", key)
		return o
	}

	for _, before := range []object{nil, scaled} {
		a.admits(scaledObjects, "", before, scaled)
		a.admits(scaledObjects, "", before, set(set(scaled, "minReplicaCount", "2"), "maxReplicaCount", "3"))
		a.refuses(above, scaledObjects, "", before, set(scaled, "maxReplicaCount", "21"))
		a.refuses(above, scaledObjects, "", before, without(scaled, "maxReplicaCount")) // 100
		a.refuses(below, scaledObjects, "", before, set(scaled, "minReplicaCount", "3"))
		a.refuses(lowest, scaledObjects, "", before, without(scaled, "minReplicaCount")) // 0
		a.refuses(lowest, scaledObjects, "", before, set(scaled, "idleReplicaCount", "0"))
	}

	// A ScaledObject from before the bounds.
	old := set(set(scaled, "maxReplicaCount", "50"), "minReplicaCount", "20")
	a.admits(scaledObjects, "", old, with(t, old, "[a]", "metadata", "finalizers"))
	a.admits(scaledObjects, "", old, set(set(old, "maxReplicaCount", "40"), "minReplicaCount", "19"))
	a.refuses(above, scaledObjects, "", old, set(old, "maxReplicaCount", "51"))
	a.refuses(below, scaledObjects, "", old, set(old, "minReplicaCount", "21"))
	a.admits(scaledObjects, "", set(scaled, "minReplicaCount", "0"), set(scaled, "minReplicaCount", "0"))

	a.refuses(above, scaledObjects, "", scaled, with(t, set(scaled, "maxReplicaCount", "21"), "{}", "metadata", "labels"))
	a.othersAreFree(scaledObjects, set(scaled, "maxReplicaCount", "99"))
	newAdmitter(t, nil, autoscaling).admits(scaledObjects, "", nil, set(scaled, "maxReplicaCount", "99")) // no policy
}

// othersAreFree checks that the policies ignore an object that would be refused if it
// belongs to no TritonLease, to a lease in the values, or to another release.
func (a *admitter) othersAreFree(resource string, refused object) {
	a.Helper()
	require.NotEmpty(a, a.try(resource, "", nil, refused))
	for label, value := range map[string]string{"managed-by": "Helm", "instance": "other", "name": "other"} {
		a.admits(resource, "", nil, with(a.T, refused, value, "metadata", "labels", "app.kubernetes.io/"+label))
	}
	a.admits(resource, "", nil, with(a.T, refused, "{}", "metadata", "labels"))
}

// TestAdmissionOfDeployments changes the Deployment of a TritonLease.
func TestAdmissionOfDeployments(t *testing.T) {
	t.Parallel()
	d, _ := objectsOf(t, `{`+models+`, triton: {replicas: 3, resources: {limits: {nvidia.com/gpu: 2}}}}`)
	limits := []byte("server: {leases: {limits: {replicas: 12, gpus: 4}}}")
	a := newAdmitter(t, nil, limits)
	const replicas, gpus = "spec.replicas: Forbidden: must not exceed 12, the higher one of server.leases.limits.replicas and server.autoscaling.replicas.limits.maximum",
		"spec.template.spec: Forbidden: must not have more GPUs than server.leases.limits.gpus (4)"
	pod := func(o object, key, value string) object {
		return with(t, o, value, "spec", "template", "spec", key)
	}

	a.admits(deployments, "", nil, d)
	a.admits(deployments, "", d, with(t, d, "12", "spec", "replicas"))
	a.refuses(replicas, deployments, "", d, with(t, d, "13", "spec", "replicas"))
	a.refuses(replicas, deployments, "", nil, with(t, d, "13", "spec", "replicas"))
	a.refuses(replicas, deployments, "", d, with(t, with(t, d, "13", "spec", "replicas"), "{}", "metadata", "labels"))
	newAdmitter(t, nil).refuses("must not exceed 10,", deployments, "", d, with(t, d, "11", "spec", "replicas"))
	newAdmitter(t, nil, limits, []byte("server: {autoscaling: {replicas: {limits: {maximum: 20}}}}")).
		refuses("must not exceed 20,", deployments, "", d, with(t, d, "21", "spec", "replicas"))

	for containers, allowed := range map[string]bool{
		"{containers: [{name: a, resources: {limits: {nvidia.com/gpu: '4'}}}]}":                                                                                                 true,
		"{containers: [{name: a, resources: {limits: {nvidia.com/gpu: '5'}}}]}":                                                                                                 false,
		"{containers: [{name: a, resources: {limits: {nvidia.com/gpu.shared: '3'}}}, {name: b, resources: {limits: {nvidia.com/mig-1g.5gb: '1'}}}]}":                            true,
		"{containers: [{name: a, resources: {limits: {amd.com/gpu: '3'}}}, {name: b, resources: {limits: {nvidia.com/mig-1g.5gb: '1', nvidia.com/gpu: '1'}}}]}":                 false,
		"{containers: [{name: a, resources: {limits: {deviceclass.resource.kubernetes.io/h100: '5'}}}]}":                                                                        false,
		"{containers: [{name: a, resources: {limits: {cpu: '99', memory: 9Gi}}}, {name: b, resources: {requests: {cpu: 100m}}}, {name: c}]}":                                    true,
		"{containers: [{name: a, resources: {limits: {nvidia.com/gpu: '3'}}}], initContainers: [{name: i, resources: {limits: {nvidia.com/gpu: '4'}}}]}":                        true,
		"{containers: [{name: a}], initContainers: [{name: i}, {name: j, resources: {limits: {nvidia.com/gpu: '5'}}}]}":                                                         false,
		"{containers: [{name: a, resources: {limits: {nvidia.com/gpu: '3'}}}], initContainers: [{name: i, restartPolicy: Always, resources: {limits: {nvidia.com/gpu: '2'}}}]}": false,
	} {
		changed := d
		var spec object
		require.NoError(t, yaml.Unmarshal([]byte(containers), &spec))
		for key, value := range spec {
			text, err := yaml.Marshal(value)
			require.NoError(t, err)
			changed = pod(changed, key, string(text))
		}
		for _, before := range []object{nil, d} {
			if allowed {
				a.admits(deployments, "", before, changed)
			} else {
				a.refuses(gpus, deployments, "", before, changed)
			}
		}
		// A Deployment from before the bounds.
		a.admits(deployments, "", changed, with(t, changed, "{a: b}", "metadata", "annotations"))
	}
	old := with(t, d, "50", "spec", "replicas")
	a.admits(deployments, "", old, with(t, old, "40", "spec", "replicas"))
	a.refuses(replicas, deployments, "", old, with(t, old, "51", "spec", "replicas"))
	a.othersAreFree(deployments, with(t, d, "99", "spec", "replicas"))
}

// TestAdmissionOfScale scales the Deployment of a TritonLease, as kubectl scale and the
// HorizontalPodAutoscaler controller do.
func TestAdmissionOfScale(t *testing.T) {
	t.Parallel()
	d, _ := objectsOf(t, `{`+models+`}`)
	selector, _, err := unstructured.NestedStringMap(d, "spec", "selector", "matchLabels")
	require.NoError(t, err)
	scale := func(namespace, name, selector string, replicas int) object {
		var o object
		require.NoError(t, yaml.Unmarshal(fmt.Appendf(nil,
			"{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: %s, namespace: %s}, spec: {}, status: {replicas: 1, selector: %q}}", name, namespace, selector), &o))
		if replicas > 0 { // the API server omits 0
			o = with(t, o, fmt.Sprint(replicas), "spec", "replicas")
		}
		return o
	}
	values := []byte("leases: {mine: {" + models + "}}")
	a := newAdmitter(t, nil, values)
	const message = "spec.replicas: Forbidden: must not exceed 10"
	of := labels.FormatLabels(selector)
	try := func(namespace, name, selector string, from, to int) string {
		return a.try(deployments, "scale", scale(namespace, name, selector, from), scale(namespace, name, selector, to))
	}
	for _, namespace := range []string{"vision", release.Namespace} {
		require.Empty(t, try(namespace, "tms-resnet50", of, 1, 10))
		require.Empty(t, try(namespace, "tms-resnet50", of, 0, 1))
		require.Empty(t, try(namespace, "tms-resnet50", of, 1, 0))
		require.Empty(t, try(namespace, "tms-resnet50", of, 50, 40))
		require.Contains(t, try(namespace, "tms-resnet50", of, 1, 11), message)
		require.Contains(t, try(namespace, "tms-resnet50", of, 50, 51), message)
	}
	// Deployments of others, and of a lease in the values.
	require.Empty(t, try(release.Namespace, "tms-mine", of, 1, 99))
	require.Contains(t, try("vision", "tms-mine", of, 1, 99), message)
	for _, other := range []string{
		"", "app=web", strings.Replace(of, "instance=tms", "instance=other", 1),
		strings.Replace(of, "name=tms", "name=other", 1), strings.Replace(of, ",tms.triton-leases.dev/lease=resnet50", "", 1),
	} {
		require.NotEqual(t, of, other)
		require.Empty(t, try("vision", "tms-resnet50", other, 1, 99))
	}
}

// TestFieldsHaveOneMessage creates a TritonLease for each key that a TritonLease may not
// set, under several configurations. The policy and tms-server give the same message.
func TestFieldsHaveOneMessage(t *testing.T) {
	t.Parallel()
	var all struct{ Triton, Service object }
	text, err := os.ReadFile("../../charts/tms/values.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &all))
	specs := map[string]string{}
	for key := range all.Triton {
		specs["triton."+key] = fmt.Sprintf("triton: {%s: %s}", key, valueOf(key))
	}
	for key, value := range map[string]string{"type": "NodePort", "annotations": "{a: b}", "labels": "{a: b}", "headless": "false"} {
		specs["service."+key] = fmt.Sprintf("service: {%s: %s}", key, value)
	}
	require.Len(t, all.Service, len(specs)-len(all.Triton), "a key of service is missing")
	for _, part := range []string{
		"{spec: {hostNetwork: true}}", "{spec: {dnsConfig: {options: [{name: ndots}]}}}", "{metadata: {annotations: {a: b}}}",
		"{metadata: {labels: {a: b}}}", "{spec: {hostAliases: []}}", "{spec: {dnsConfig: {nameservers: [192.0.2.1]}}}",
	} {
		specs["podTemplate "+part] = "triton: {podTemplate: " + part + "}"
	}
	refused := 0
	for _, allowedFields := range []string{
		"[]", "[podTemplate.spec.dnsConfig.options, podTemplate.metadata.annotations, service.type]",
		"[command, podTemplate.metadata, podTemplate.spec.dnsConfig, podTemplate.spec.hostAliases]", "[podTemplate, service.labels]",
	} {
		values := []byte("server: {leases: {allowedVolumes: [emptyDir], podSecurityStandard: privileged, allowedFields: " + allowedFields + "}}")
		a, lr := newAdmitter(t, nil, values), leaseRenderer(t, values)
		for name, spec := range specs {
			lease := tritonLease(t, "{"+models+", "+spec+"}")
			_, err := lr.GrantTritonLease(lease)
			var messages []string
			for _, reason := range policy.Reasons(err) {
				if strings.Contains(reason.Error(), "server.leases.allowedFields") {
					messages = append(messages, reason.Error())
				}
			}
			want := ""
			if len(messages) > 0 {
				refused++
				want = `tritonleases.tms.triton-leases.dev "resnet50" is forbidden: ValidatingAdmissionPolicy 'tms-tritonleases.inference' ` +
					`with binding 'tms-tritonleases.inference' denied request: ` + strings.Join(messages, "; ")
			}
			require.Equal(t, want, a.try("tritonleases", "", nil, asObject(t, lease)), "%s, with allowedFields %s", name, allowedFields)
		}
	}
	require.Greater(t, refused, len(specs))
}

// valueOf returns a valid value of a key of spec.triton, in YAML.
func valueOf(key string) string {
	switch key {
	case "replicas", "progressDeadlineSeconds", "terminationGracePeriodSeconds", "connectionAgeSeconds":
		return "30"
	case "env":
		return "[{name: A, value: b}]"
	case "envFrom":
		return "[{configMapRef: {name: a}}]"
	case "volumes":
		return "[{name: a, emptyDir: {}}]"
	case "volumeMounts":
		return "[{name: shm, mountPath: /a}]"
	case "hostIPC":
		return "false"
	case "priorityClassName", "runtimeClassName", "schedulerName", "serviceAccountName":
		return "some"
	case "dnsPolicy":
		return "Default"
	case "imagePullPolicy":
		return "Always"
	case "sharedMemorySize":
		return "1Gi"
	case "podAnnotations", "podLabels", "nodeSelector":
		return "{a: b}"
	case "args", "command", "initContainers", "resourceClaims", "tolerations", "topologySpreadConstraints":
		return "[]"
	}
	return "{}"
}

// TestAdmissionOfLeases creates TritonLeases. If one is refused, it may stay as it is, and
// change in other parts.
func TestAdmissionOfLeases(t *testing.T) {
	t.Parallel()
	const (
		volumes = "spec.triton.volumes: Forbidden: a TritonLease may not have a volume of this type: it is not in server.leases.allowedVolumes (emptyDir, persistentVolumeClaim); an administrator sets it in the values of the release"
		secrets = "spec.triton: Forbidden: a TritonLease may not refer to this secret: it is not in server.leases.allowedSecrets; an administrator sets it in the values of the release"
		target  = "spec.target: Forbidden: you may set a target only if you may update its scale subresource"
		targets = "spec.target: Forbidden: a TritonLease may not have a target, because server.leases.allowedTargets is None"
	)
	for bounds, specs := range map[string]map[string]string{
		"{}": {
			"{" + models + ", image: a, autoscaling: {enable: true}, duration: 1h, triton: {replicas: 99, args: [a]}, service: {headless: false}}": "",
			"{" + models + "}": "",
			"{" + models + ", triton: {volumes: [{name: a, emptyDir: {}}, {name: b, persistentVolumeClaim: {claimName: c}}, {name: c}]}}": "",
			"{" + models + ", triton: {volumes: [{name: a, emptyDir: {}}, {name: b, hostPath: {path: /}}]}}":                              volumes,
			"{" + models + ", triton: {volumes: [{name: a, secret: {secretName: bucket}}]}}":                                              volumes,
			"{" + models + ", triton: {env: [{name: A, value: b}, {name: B, valueFrom: {configMapKeyRef: {name: a, key: b}}}]}}":          "",
			"{" + models + ", triton: {env: [{name: A, value: b}, {name: B, valueFrom: {secretKeyRef: {name: a, key: b}}}]}}":             secrets,
			"{" + models + ", triton: {envFrom: [{configMapRef: {name: a}}, {secretRef: {name: a}}]}}":                                    secrets,
			"{target: {name: web, selector: {app: web}}}":                                                                                 target,
			"{target: {name: free, selector: {app: web}}}":                                                                                "",
			"{target: {name: free, kind: StatefulSet, selector: {app: web}}}":                                                             target,
			"{target: {name: free, kind: Rollout, apiVersion: argoproj.io/v1alpha1, selector: {app: web}}}":                               "",
			"{target: {name: free, kind: Deployment, apiVersion: v1, selector: {app: web}}}":                                              target,
		},
		"{allowedFields: [volumes, env, podTemplate, initContainers], allowedSecrets: [bucket], allowedTargets: All, allowedVolumes: [emptyDir, secret, projected, persistentVolumeClaim]}": {
			"{" + models + ", triton: {podTemplate: {spec: {volumes: [{name: a, hostPath: {path: /}}]}}}}":                                                        "spec.triton.volumes: Forbidden",
			"{" + models + ", triton: {podTemplate: {spec: {volumes: [{name: a, secret: {secretName: bucket}}]}}}}":                                               "",
			"{" + models + ", triton: {volumes: [{name: a, secret: {secretName: other}}]}}":                                                                       secrets,
			"{" + models + ", triton: {volumes: [{name: a, projected: {sources: [{configMap: {name: other}}, {secret: {name: bucket}}]}}]}}":                      "",
			"{" + models + ", triton: {volumes: [{name: a, projected: {sources: [{configMap: {name: other}}, {secret: {name: other}}]}}]}}":                       secrets,
			"{" + models + ", triton: {podTemplate: {spec: {containers: [{name: triton, env: [{name: A, valueFrom: {secretKeyRef: {name: other, key: b}}}]}]}}}}": secrets,
			"{" + models + ", triton: {podTemplate: {spec: {initContainers: [{name: a, envFrom: [{secretRef: {name: other}}]}]}}}}":                               secrets,
			"{" + models + ", triton: {initContainers: [{name: a, envFrom: [{secretRef: {name: other}}]}]}}":                                                      secrets,
			"{" + models + ", triton: {initContainers: [{name: a, envFrom: [{secretRef: {name: bucket}}]}]}}":                                                     "",
			"{target: {name: web, selector: {app: web}}}":                                                                                                         target,
		},
		"{allowedSecrets: ['*'], allowedTargets: None}": {
			"{" + models + ", triton: {envFrom: [{secretRef: {name: a}}]}}": "",
			"{target: {name: free, selector: {app: web}}}":                  targets,
		},
	} {
		// The user may scale the Deployment and the Rollout free.
		a := newAdmitter(t, func(asked authorizer.Attributes) bool {
			return asked.GetUser().GetName() == "tenant" && asked.GetVerb() == "update" && asked.GetSubresource() == "scale" &&
				asked.GetNamespace() == "vision" && asked.GetName() == "free" &&
				slices.Contains([]string{"apps/deployments", "argoproj.io/rollouts"}, asked.GetAPIGroup()+"/"+asked.GetResource())
		}, []byte("server: {leases: "+bounds+"}"))
		for spec, message := range specs {
			lease, short := asObject(t, tritonLease(t, spec)), asObject(t, tritonLease(t, "{"+models+"}"))
			for _, before := range []object{nil, short} {
				if message == "" {
					a.admits("tritonleases", "", before, lease)
				} else {
					a.refuses(message, "tritonleases", "", before, lease)
				}
			}
			a.admits("tritonleases", "", lease, with(t, lease, "{a: b}", "metadata", "labels"))
			a.admits("tritonleases", "", lease, with(t, lease, "1h", "spec", "duration"))
			a.admits("tritonleases", "", with(t, lease, "2030-01-01T00:00:00Z", "spec", "acquireBy"), lease)
			a.admits("tritonleases", "", lease, short)
		}
	}
}

// TestAdmissionOfOldLeases changes TritonLeases that were created before the bounds, part
// by part.
func TestAdmissionOfOldLeases(t *testing.T) {
	t.Parallel()
	a := newAdmitter(t, nil, []byte("server: {leases: {allowedFields: [env, envFrom, volumes, podTemplate.spec.dnsConfig]}}"))
	old := asObject(t, tritonLease(t, "{"+models+`, target: {name: web, selector: {app: web}}, service: {type: NodePort}, triton: {
  command: [sh], volumes: [{name: a, hostPath: {path: /}}], env: [{name: A, valueFrom: {secretKeyRef: {name: b, key: c}}}], envFrom: [{secretRef: {name: d}}],
  podTemplate: {metadata: {labels: {a: b}}, spec: {hostNetwork: true, dnsConfig: {nameservers: [192.0.2.1]}}}}}`))
	change := func(value string, path ...string) string {
		t.Helper()
		return a.try("tritonleases", "", old, with(t, old, value, path...))
	}
	for _, allowed := range []string{
		change("[{name: b, emptyDir: {}}, {name: a, hostPath: {path: /}}]", "spec", "triton", "volumes"),
		change("[]", "spec", "triton", "volumes"),
		change("[{name: A, valueFrom: {secretKeyRef: {name: b, key: c}}}, {name: B, value: c}]", "spec", "triton", "env"),
		change("[]", "spec", "triton", "envFrom"),
		change("[192.0.2.2]", "spec", "triton", "podTemplate", "spec", "dnsConfig", "nameservers"),
		change("{spec: {hostNetwork: true}}", "spec", "triton", "podTemplate"),
	} {
		require.Empty(t, allowed)
	}
	for message, refused := range map[string]string{
		"spec.triton.command: ":                       change("[sh, -c]", "spec", "triton", "command"),
		"spec.service.type: ":                         change("LoadBalancer", "spec", "service", "type"),
		"spec.triton.volumes: ":                       change("[{name: a, hostPath: {path: /etc}}]", "spec", "triton", "volumes"),
		"spec.triton: ":                               change("[{name: A, valueFrom: {secretKeyRef: {name: b, key: d}}}]", "spec", "triton", "env"),
		"spec.triton: Forbidden":                      change("[{secretRef: {name: d}}, {secretRef: {name: e}}]", "spec", "triton", "envFrom"),
		"spec.triton.podTemplate.metadata.labels.a: ": change("c", "spec", "triton", "podTemplate", "metadata", "labels", "a"),
		"spec.triton.podTemplate.spec.hostNetwork: ":  change("false", "spec", "triton", "podTemplate", "spec", "hostNetwork"),
		"spec.target: ":                               change("other", "spec", "target", "name"),
	} {
		require.Contains(t, refused, message)
	}
}

// TestAdmissionOfMalformedLeases checks that a lease that the expressions cannot read is
// refused, and may keep its spec.
func TestAdmissionOfMalformedLeases(t *testing.T) {
	t.Parallel()
	a := newAdmitter(t, nil, []byte("server: {leases: {allowedFields: [podTemplate]}}"))
	lease := asObject(t, tritonLease(t, "{"+models+", triton: {podTemplate: {spec: {volumes: 5}}}}"))
	a.refuses("resulted in error", "tritonleases", "", nil, lease)
	a.admits("tritonleases", "", lease, with(t, lease, "{a: b}", "metadata", "labels"))
}

// TestAdmissionOfNamespaces checks that the policies bind only the namespaces of
// tms-server.
func TestAdmissionOfNamespaces(t *testing.T) {
	t.Parallel()
	a := newAdmitter(t, nil, []byte("server: {namespaces: [vision]}"))
	lease := asObject(t, tritonLease(t, "{"+models+", triton: {command: [sh]}}"))
	require.Contains(t, a.try("tritonleases", "", nil, lease), "spec.triton.command")
	a.admits("tritonleases", "", nil, with(t, lease, "elsewhere", "metadata", "namespace"))
}

// TestAdmissionOfLargeLeases checks that the cost of a lease as large as the API server
// stores is within the limit of the API server, which would refuse it.
func TestAdmissionOfLargeLeases(t *testing.T) {
	t.Parallel()
	a := newAdmitter(t, nil, []byte("server: {leases: {allowedSecrets: [a], allowedFields: [env, volumes, podTemplate.metadata.annotations]}}"))
	bounded := newAdmitter(t, nil, []byte("server: {leases: {allowedFields: [], allowedVolumes: []}}"))
	var env, volumes, annotations strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&env, "{name: A%d, valueFrom: {secretKeyRef: {name: a, key: b}}},", i)
		fmt.Fprintf(&volumes, "{name: a%d, emptyDir: {sizeLimit: 1Gi}},", i)
		fmt.Fprintf(&annotations, "a%d: \"%0100d\",", i, i)
	}
	lease := asObject(t, tritonLease(t, fmt.Sprintf("{%s, triton: {env: [%s], volumes: [%s], podTemplate: {metadata: {annotations: {%s}}}}}",
		models, &env, &volumes, &annotations)))
	a.admits("tritonleases", "", nil, lease)
	for _, a := range []*admitter{a, bounded} {
		a.admits("tritonleases", "", lease, with(t, lease, "1h", "spec", "duration"))
	}
}

// TestOldestVersion compiles the expressions as the oldest Kubernetes that the chart
// supports does.
func TestOldestVersion(t *testing.T) {
	t.Parallel()
	r, err := renderer()
	require.NoError(t, err)
	ci, err := os.ReadFile("../../charts/tms/ci/server-admission-values.yaml")
	require.NoError(t, err)
	checked := 0
	for _, values := range [][]byte{ci, server} {
		result, err := r.Render(release, values)
		require.NoError(t, err)
		for document := range result.Documents() {
			if document.Kind != "ValidatingAdmissionPolicy" {
				continue
			}
			var p admissionv1.ValidatingAdmissionPolicy
			require.NoError(t, document.Decode(&p))
			compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(version.MajorMinor(1, 30)))
			require.NoError(t, err)
			options := cel.OptionalVariableDeclarations{HasAuthorizer: true}
			compiles := func(result cel.CompilationResult) {
				t.Helper()
				require.Nil(t, result.Error, result.ExpressionAccessor.GetExpression())
				checked++
			}
			for _, v := range p.Spec.Variables {
				variable := &validating.Variable{Name: v.Name, Expression: v.Expression}
				compiles(compiler.CompileAndStoreVariable(variable, options, environment.NewExpressions))
			}
			for _, c := range p.Spec.MatchConditions {
				compiles(compiler.CompileCELExpression((*matchconditions.MatchCondition)(&c), options, environment.NewExpressions))
			}
			for _, v := range p.Spec.Validations {
				compiles(compiler.CompileCELExpression(&validating.ValidationCondition{Expression: v.Expression}, options, environment.NewExpressions))
				if v.MessageExpression != "" {
					message := &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}
					compiles(compiler.CompileCELExpression(message, options, environment.NewExpressions))
				}
			}
		}
	}
	require.Greater(t, checked, 40)
}

// TestSetups judges TritonLeases under the values of docs/bounds.md, with tms-server and
// with the policies.
func TestSetups(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/bounds.md")
	require.NoError(t, err)
	_, text, _ := strings.Cut(string(page), "\n## Three set-ups\n")
	text, _, _ = strings.Cut(text, "\n## ")
	values := map[string]string{}
	for section := range strings.SplitSeq(text, "\n### ") {
		heading, rest, _ := strings.Cut(section, "\n")
		if _, block, found := strings.Cut(rest, "```yaml\n"); found {
			values[heading], _, _ = strings.Cut(block, "```")
		}
	}
	const (
		shell   = "command: [sh, -c, 'exec tritonserver \"$@\"', sh]"
		store   = "envFrom: [{secretRef: {name: model-store}}]"
		other   = "envFrom: [{secretRef: {name: other}}]"
		memory  = "resources: {limits: {nvidia.com/gpu: 1, memory: 24Gi}}"
		node    = "volumes: [{name: a, hostPath: {path: /}}]"
		sidecar = "podTemplate: {spec: {hostNetwork: true}}"
	)
	for heading, allowed := range map[string]map[string]bool{
		"A trusted team":            {shell: true, store: true, other: true, memory: true, node: false, sidecar: false},
		"Several teams with quotas": {shell: false, store: true, other: false, memory: true, node: false, sidecar: false},
		"Strangers":                 {shell: false, store: false, other: false, memory: true, node: false, sidecar: false, "args: [a]": false},
	} {
		require.Contains(t, values, heading)
		lr, a := leaseRenderer(t, []byte(values[heading])), newAdmitter(t, nil, []byte(values[heading]), []byte("server: {namespaces: null}"))
		for triton, allows := range allowed {
			lease := tritonLease(t, "{"+models+", triton: {"+triton+"}}")
			_, err := lr.GrantTritonLease(lease)
			require.Equal(t, allows, err == nil, "%s: %s: %v", heading, triton, err)
			if refusal := a.try("tritonleases", "", nil, asObject(t, lease)); allows {
				require.Empty(t, refusal, "%s: %s", heading, triton)
			} else if triton != sidecar || heading != "A trusted team" { // only tms-server knows the Pod Security Standard
				require.NotEmpty(t, refusal, "%s: %s", heading, triton)
			}
		}
	}
}
