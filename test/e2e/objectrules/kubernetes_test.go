package objectrules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/applyconfigurations"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	"k8s.io/kubernetes/pkg/capabilities"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
)

const namespace = "inference"

func init() {
	const allowPrivileged = true // as in all common clusters
	capabilities.Setup(allowPrivileged, 0)
}

// strategies are what kube-apiserver runs before it stores a new object.
var strategies = map[string]rest.RESTCreateStrategy{
	"Deployment":              deployment.Strategy,
	"HorizontalPodAutoscaler": horizontalpodautoscaler.Strategy,
	"NetworkPolicy":           networkpolicy.Strategy,
	"Pod":                     pod.Strategy,
	"PodDisruptionBudget":     poddisruptionbudget.Strategy,
	"Service":                 service.Strategy,
	"ServiceAccount":          serviceaccount.Strategy,
}

var apply = applyconfigurations.NewTypeConverter(clientscheme.Scheme)

// verdict is why Kubernetes refuses an object.
type verdict struct {
	undecodable error
	create      []metav1.StatusCause
	apply       error
}

func (v verdict) refused() bool { return len(v.create) > 0 || v.apply != nil }

func (v verdict) String() string {
	var b strings.Builder
	for _, cause := range v.create {
		fmt.Fprintf(&b, "%s: %s\n", cause.Field, cause.Message)
	}
	if v.apply != nil {
		fmt.Fprintf(&b, "apply: %s\n", v.apply)
	}
	return b.String()
}

// judge asks Kubernetes for its verdict on an object in JSON.
func judge(manifest []byte) verdict {
	versioned, _, err := clientscheme.Codecs.UniversalDeserializer().Decode(manifest, nil, nil)
	if err != nil {
		return verdict{undecodable: err}
	}
	var v verdict
	if v.create, err = create(manifest); err != nil {
		return verdict{undecodable: err}
	}
	if d, ok := versioned.(*appsv1.Deployment); ok {
		causes, err := createPod(d)
		if err != nil {
			return verdict{undecodable: err}
		}
		v.create = append(v.create, causes...)
	}
	_, v.apply = apply.ObjectToTyped(versioned)
	return v
}

// create does what kube-apiserver does with a new object before it stores it.
func create(manifest []byte) ([]metav1.StatusCause, error) {
	object, kind, err := legacyscheme.Codecs.UniversalDecoder().Decode(manifest, nil, nil)
	if err != nil {
		return nil, err
	}
	if s, ok := object.(*core.Service); ok {
		completeService(s)
	}
	accessor, err := meta.Accessor(object)
	if err != nil {
		return nil, err
	}
	rest.FillObjectMetaSystemFields(accessor)
	ctx := request.WithNamespace(context.Background(), namespace)
	ctx = request.WithRequestInfo(ctx, &request.RequestInfo{APIGroup: kind.Group, APIVersion: kind.Version})
	err = rest.BeforeCreate(strategies[kind.Kind], ctx, object)
	var status *apierrors.StatusError
	switch {
	case err == nil:
		return nil, nil
	case errors.As(err, &status) && apierrors.IsInvalid(err):
		return status.ErrStatus.Details.Causes, nil
	}
	return nil, err
}

// completeService does what the storage of Services does before the strategy.
func completeService(s *core.Service) {
	if s.Spec.ClusterIP != "" && len(s.Spec.ClusterIPs) == 0 {
		s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	}
	if s.Spec.Type == core.ServiceTypeLoadBalancer && s.Spec.ExternalTrafficPolicy == core.ServiceExternalTrafficPolicyLocal &&
		s.Spec.HealthCheckNodePort == 0 {
		s.Spec.HealthCheckNodePort = 30000
	}
}

// createPod creates a pod as the ReplicaSet controller does, with the default that the
// admission of service accounts sets. The paths in the causes are those of the Deployment.
func createPod(d *appsv1.Deployment) ([]metav1.StatusCause, error) {
	template := d.Spec.Template.DeepCopy()
	labels := map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: "hash"}
	for key, value := range template.Labels {
		labels[key] = value
	}
	if template.Spec.ServiceAccountName == "" && template.Spec.DeprecatedServiceAccount == "" {
		template.Spec.ServiceAccountName = "default"
	}
	manifest, err := json.Marshal(&corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "triton-hash-1", Namespace: namespace, Labels: labels, Annotations: template.Annotations},
		Spec:       template.Spec,
	})
	if err != nil {
		return nil, err
	}
	causes, err := create(manifest)
	for i := range causes {
		causes[i].Field = "spec.template." + causes[i].Field
	}
	return causes, err
}
