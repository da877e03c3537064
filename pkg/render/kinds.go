package render

import (
	"reflect"
	"slices"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	kedav1alpha1 "github.com/triton-leases/tms/api/keda/v1alpha1"
)

// Object is a typed Kubernetes object.
type Object interface {
	metav1.Object
	runtime.Object
}

// Objects are the objects of one lease. Those that the lease does not have are nil.
type Objects struct {
	Lease                   GrantedLease
	Deployment              *appsv1.Deployment
	Service                 *corev1.Service
	HeadlessService         *corev1.Service
	NetworkPolicy           *networkingv1.NetworkPolicy
	HTTPRoute               *gatewayv1.HTTPRoute
	GRPCRoute               *gatewayv1.GRPCRoute
	PodDisruptionBudget     *policyv1.PodDisruptionBudget
	PodMonitor              *monitoringv1.PodMonitor
	PrometheusRule          *monitoringv1.PrometheusRule
	MetricsRule             *monitoringv1.PrometheusRule
	HorizontalPodAutoscaler *autoscalingv2.HorizontalPodAutoscaler
	ScaledObject            *kedav1alpha1.ScaledObject
	// Schedule has the HorizontalPodAutoscaler of a lease in the values with a schedule, for
	// tms-server.
	Schedule *corev1.ConfigMap
}

// Kind is a kind of object that leases have.
type Kind struct {
	schema.GroupVersionKind
	// Resource is the plural name in the API, as in RBAC rules.
	Resource string
	// Template is the chart's template that renders at most one object of this kind for
	// each lease.
	Template string
	// New returns an empty object of the kind's Go type.
	New func() Object
	// Get returns the object of this kind, or nil if the lease has none.
	Get func(*Objects) Object
	// verbatim reports whether the values hold parts of the manifest as Kubernetes defines
	// them, and the schema knows little of them. Kubernetes may refuse such a manifest.
	verbatim bool
	// ofValues reports whether only leases in the values have such an object. tms-server does
	// not apply it.
	ofValues bool
	// set stores an object that New returned.
	set func(*Objects, Object)
}

// kinds is the only list of the kinds of objects that leases have, in the order in which
// tms-server applies them: an autoscaler comes after the workload that it scales.
var kinds = []Kind{
	verbatim(newKind(appsv1.SchemeGroupVersion, "deployments", "templates/deployment.yaml",
		func(o *Objects) **appsv1.Deployment { return &o.Deployment })),
	newKind(corev1.SchemeGroupVersion, "services", "templates/service.yaml",
		func(o *Objects) **corev1.Service { return &o.Service }),
	newKind(corev1.SchemeGroupVersion, "services", "templates/service_headless.yaml",
		func(o *Objects) **corev1.Service { return &o.HeadlessService }),
	verbatim(newKind(networkingv1.SchemeGroupVersion, "networkpolicies", "templates/networkpolicy.yaml",
		func(o *Objects) **networkingv1.NetworkPolicy { return &o.NetworkPolicy })),
	verbatim(newKind(schema.GroupVersion(gatewayv1.GroupVersion), "httproutes", "templates/httproute.yaml",
		func(o *Objects) **gatewayv1.HTTPRoute { return &o.HTTPRoute })),
	verbatim(newKind(schema.GroupVersion(gatewayv1.GroupVersion), "grpcroutes", "templates/grpcroute.yaml",
		func(o *Objects) **gatewayv1.GRPCRoute { return &o.GRPCRoute })),
	newKind(policyv1.SchemeGroupVersion, "poddisruptionbudgets", "templates/poddisruptionbudget.yaml",
		func(o *Objects) **policyv1.PodDisruptionBudget { return &o.PodDisruptionBudget }),
	newKind(monitoringv1.SchemeGroupVersion, "podmonitors", "templates/podmonitor.yaml",
		func(o *Objects) **monitoringv1.PodMonitor { return &o.PodMonitor }),
	newKind(monitoringv1.SchemeGroupVersion, "prometheusrules", "templates/prometheusrule.yaml",
		func(o *Objects) **monitoringv1.PrometheusRule { return &o.PrometheusRule }),
	// The rules of the administrator's metrics are in an object of their own, because the
	// Prometheus Operator rejects a whole PrometheusRule for one invalid expression.
	newKind(monitoringv1.SchemeGroupVersion, "prometheusrules", "templates/prometheusrule_metrics.yaml",
		func(o *Objects) **monitoringv1.PrometheusRule { return &o.MetricsRule }),
	newKind(autoscalingv2.SchemeGroupVersion, "horizontalpodautoscalers", "templates/hpa.yaml",
		func(o *Objects) **autoscalingv2.HorizontalPodAutoscaler { return &o.HorizontalPodAutoscaler }),
	newKind(kedav1alpha1.GroupVersion, "scaledobjects", "templates/scaledobject.yaml",
		func(o *Objects) **kedav1alpha1.ScaledObject { return &o.ScaledObject }),
	ofValues(newKind(corev1.SchemeGroupVersion, "configmaps", "templates/schedule.yaml",
		func(o *Objects) **corev1.ConfigMap { return &o.Schedule })),
}

// Kinds returns the kinds of objects that TritonLeases have, in the order in which
// tms-server applies them.
func Kinds() []Kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k Kind) bool { return k.ofValues })
}

func ofValues(kind Kind) Kind {
	kind.ofValues = true
	return kind
}

func verbatim(kind Kind) Kind {
	kind.verbatim = true
	return kind
}

func newKind[T any, P interface {
	*T
	Object
}](version schema.GroupVersion, resource, template string, place func(*Objects) **T) Kind {
	return Kind{
		GroupVersionKind: version.WithKind(reflect.TypeFor[T]().Name()),
		Resource:         resource,
		Template:         template,
		New:              func() Object { return P(new(T)) },
		Get: func(o *Objects) Object {
			if object := *place(o); object != nil {
				return P(object)
			}
			return nil
		},
		set: func(o *Objects, object Object) { *place(o) = (*T)(object.(P)) },
	}
}
