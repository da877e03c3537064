package controller

import (
	"reflect"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/triton-leases/tms/pkg/render"
)

// kind is one of the kinds of objects that leases consist of.
type kind struct {
	schema.GroupVersionKind
	// empty and list return new objects.
	empty func() client.Object
	list  func() client.ObjectList
	// of returns the object that a lease should have, nil where it should have none.
	of func(*render.Objects) client.Object
}

// kinds are in the order in which they are applied: a HorizontalPodAutoscaler comes
// after what it scales.
func kinds() []*kind {
	return []*kind{
		newKind(appsv1.SchemeGroupVersion, func(o *render.Objects) *appsv1.Deployment { return o.Deployment }, &appsv1.DeploymentList{}),
		newKind(corev1.SchemeGroupVersion, func(o *render.Objects) *corev1.Service { return o.Service }, &corev1.ServiceList{}),
		newKind(policyv1.SchemeGroupVersion, func(o *render.Objects) *policyv1.PodDisruptionBudget { return o.PodDisruptionBudget }, &policyv1.PodDisruptionBudgetList{}),
		untyped(newKind(monitoringv1.SchemeGroupVersion, func(o *render.Objects) *monitoringv1.PodMonitor { return o.PodMonitor }, nil)),
		untyped(newKind(monitoringv1.SchemeGroupVersion, func(o *render.Objects) *monitoringv1.PrometheusRule { return o.PrometheusRule }, nil)),
		newKind(autoscalingv2.SchemeGroupVersion, func(o *render.Objects) *autoscalingv2.HorizontalPodAutoscaler { return o.HorizontalPodAutoscaler }, &autoscalingv2.HorizontalPodAutoscalerList{}),
	}
}

func newKind[T any, P interface {
	*T
	client.Object
}](version schema.GroupVersion, of func(*render.Objects) P, list client.ObjectList) *kind {
	return &kind{
		GroupVersionKind: version.WithKind(reflect.TypeFor[T]().Name()),
		empty:            func() client.Object { return P(new(T)) },
		list:             func() client.ObjectList { return list.DeepCopyObject().(client.ObjectList) },
		of: func(objects *render.Objects) client.Object {
			if object := of(objects); object != nil {
				return object
			}
			return nil
		},
	}
}

// untyped has a kind read without its Go type. What stands in a custom resource may
// not fit our version of it, and one object that cannot be decoded would keep us from
// reading all others.
func untyped(k *kind) *kind {
	k.empty = func() client.Object {
		object := new(unstructured.Unstructured)
		object.SetGroupVersionKind(k.GroupVersionKind)
		return object
	}
	k.list = func() client.ObjectList {
		list := new(unstructured.UnstructuredList)
		list.SetGroupVersionKind(k.GroupVersion().WithKind(k.Kind + "List"))
		return list
	}
	return k
}

// addToScheme makes a scheme know all kinds.
func addToScheme(scheme *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, corev1.AddToScheme, policyv1.AddToScheme, autoscalingv2.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	return nil
}
