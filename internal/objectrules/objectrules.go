// Package objectrules finds the faults for which the Kubernetes API server would refuse
// an object.
//
// The rules are those of Kubernetes 1.37: of its validation, of its server-side apply,
// which refuses duplicate keys in lists, and for the template of a Deployment also those
// of the pods that are created from it. The package has rules of its own, because the
// module k8s.io/kubernetes is too large to import. test/e2e/objectrules compares them
// with Kubernetes.
//
// Some rules remain with the API server:
//   - those that depend on the cluster: quotas, admission, ranges of node ports, whether
//     privileged containers are allowed
//   - those of fields that are behind a feature gate, and off by default
//   - those of Windows containers, of annotations that fields have replaced (AppArmor,
//     seccomp), and of finalizers without a domain
//   - those of volume sources that CSI has replaced, such as iscsi, and of certificates in
//     projected volumes
//   - the sums over containers in a pod that has resources of its own
package objectrules

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate returns the faults of a typed object. The paths are those of the object, such
// as spec.template.spec.containers[0].env[1].name. Fields that are not set have
// Kubernetes' defaults.
//
// Deployments, Services, HorizontalPodAutoscalers, PodDisruptionBudgets, NetworkPolicies
// and ServiceAccounts have rules for all fields, other kinds only for their metadata.
// Validate does not change the object. It is safe for concurrent use.
func Validate(object runtime.Object) field.ErrorList {
	r := &report{}
	spec := field.NewPath("spec")
	checkName := validation.IsDNS1123Subdomain
	switch o := object.(type) {
	case *appsv1.Deployment:
		r.deployment(spec, &o.Spec)
	case *corev1.Service:
		checkName = validation.IsDNS1123Label
		r.service(spec, &o.Spec)
	case *autoscalingv2.HorizontalPodAutoscaler:
		r.autoscaler(spec, &o.Spec)
	case *policyv1.PodDisruptionBudget:
		checkName = isPathSegment
		r.disruptionBudget(spec, &o.Spec)
	case *networkingv1.NetworkPolicy:
		r.networkPolicy(spec, &o.Spec)
	case *corev1.ServiceAccount:
		r.secrets(field.NewPath("secrets"), o.Secrets)
	default:
		if !customResource(object) {
			checkName = isPathSegment
		}
	}
	if accessor, err := meta.Accessor(object); err == nil {
		r.metadata(field.NewPath("metadata"), accessor, checkName)
	}
	return r.errors
}
