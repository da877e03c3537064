package render_test

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	kedav1alpha1 "github.com/triton-leases/tms/api/keda/v1alpha1"
	"github.com/triton-leases/tms/pkg/render"
)

// decodesStrictly decodes every document into its typed object, except extraObjects. It
// fails for an unknown field, a wrong type, or a number such as 1e+06.
func decodesStrictly(t testing.TB, result *render.Result) {
	t.Helper()
	for document := range result.Documents() {
		if document.Source == "tms/templates/extraobjects.yaml" {
			continue // the user writes it
		}
		var object any
		switch document.Kind {
		case "Deployment":
			object = new(appsv1.Deployment)
		case "Service":
			object = new(corev1.Service)
		case "Pod":
			object = new(corev1.Pod)
		case "PodDisruptionBudget":
			object = new(policyv1.PodDisruptionBudget)
		case "HorizontalPodAutoscaler":
			object = new(autoscalingv2.HorizontalPodAutoscaler)
		case "ScaledObject":
			object = new(kedav1alpha1.ScaledObject)
		case "PodMonitor":
			object = new(monitoringv1.PodMonitor)
		case "PrometheusRule":
			object = new(monitoringv1.PrometheusRule)
		case "ServiceAccount":
			object = new(corev1.ServiceAccount)
		case "ConfigMap":
			object = new(corev1.ConfigMap)
		case "Role":
			object = new(rbacv1.Role)
		case "RoleBinding":
			object = new(rbacv1.RoleBinding)
		case "ClusterRole":
			object = new(rbacv1.ClusterRole)
		case "ClusterRoleBinding":
			object = new(rbacv1.ClusterRoleBinding)
		case "NetworkPolicy":
			object = new(networkingv1.NetworkPolicy)
		case "HTTPRoute":
			object = new(gatewayv1.HTTPRoute)
		case "GRPCRoute":
			object = new(gatewayv1.GRPCRoute)
		case "FlowSchema":
			object = new(flowcontrolv1.FlowSchema)
		case "CustomResourceDefinition":
			object = new(apiextensionsv1.CustomResourceDefinition)
		case "ValidatingAdmissionPolicy":
			object = new(admissionv1.ValidatingAdmissionPolicy)
		case "ValidatingAdmissionPolicyBinding":
			object = new(admissionv1.ValidatingAdmissionPolicyBinding)
		case "Certificate": // not worth the module of cert-manager: test/conform checks the fields
			object = new(unstructured.Unstructured)
		case "GrafanaDashboard": // the module of grafana-operator is not on the Go proxy
			object = new(unstructured.Unstructured)
		default:
			t.Fatalf("no type is known for a document of kind %q", document.Kind)
		}
		require.NoError(t, document.Decode(object), document.Text)
	}
}

// container returns the Triton container of the first Deployment.
func container(t testing.TB, result *render.Result) corev1.Container {
	t.Helper()
	for document := range result.Documents() {
		if document.Kind == "Deployment" {
			var deployment appsv1.Deployment
			require.NoError(t, document.Decode(&deployment))
			return deployment.Spec.Template.Spec.Containers[0]
		}
	}
	t.Fatal("there is no Deployment")
	return corev1.Container{}
}
