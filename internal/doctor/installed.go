package doctor

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"

	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/api/v1alpha1"
	"github.com/triton-leases/tms/charts"
	"github.com/triton-leases/tms/internal/valuesfile"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/values"
)

// Install is what an install of values needs from a cluster. It comes from the values and not
// from the templates, because tmsctl does not contain Helm. A test compares it with the
// rendered manifests.
type Install struct {
	values *values.Values
	// podMonitorLabels and ruleLabels are the labels of PodMonitors and PrometheusRules that
	// are known before the release has a name.
	podMonitorLabels, ruleLabels map[string]string
}

// typical are values with a lease that scales, for an Install without values.
const typical = `
server: {autoscaling: {enable: true, metrics: {queueTime: {enabled: true}, cpuUtilization: {enabled: true}}}}
leases: {lease: {models: [{name: model, uri: /models}], autoscaling: {enable: true}}}`

// NewInstall returns what the values of files need, merged as helm -f does. Without files, it
// is what a lease that scales needs.
func NewInstall(files ...[]byte) (*Install, error) {
	if len(files) == 0 {
		files = [][]byte{[]byte(typical)}
	}
	text, err := fs.ReadFile(charts.TMS(), "values.yaml")
	if err != nil {
		return nil, fmt.Errorf("read the defaults: %w", err)
	}
	merged := map[string]any{}
	for _, file := range append([][]byte{text}, files...) {
		read, err := valuesfile.Read(file)
		if err != nil {
			return nil, err
		}
		merged = valuesfile.Merge(merged, read)
	}
	i := new(Install)
	if i.values, err = values.Decode(merged); err != nil {
		return nil, err
	}
	p, err := policy.New(i.values.Server.Autoscaling)
	if err != nil {
		return nil, err
	}
	podMonitorLabels := i.values.Server.Autoscaling.Prometheus.PodMonitorLabels
	if len(podMonitorLabels) == 0 {
		podMonitorLabels = map[string]string{"release": "prometheus"}
	}
	ruleLabels, _ := p.RuleLabels()
	i.podMonitorLabels, i.ruleLabels = i.labels(podMonitorLabels), i.labels(ruleLabels)
	return i, nil
}

// labels returns the labels of an object of Triton. An empty value removes a label.
func (i *Install) labels(more map[string]string) map[string]string {
	labels := map[string]string{
		nameLabel: "tms", componentLabel: "triton", "app.kubernetes.io/managed-by": "Helm",
	}
	if i.values.NameOverride != "" {
		labels[nameLabel] = i.values.NameOverride
	}
	if i.values.Kubernetes.PartOf != "" {
		labels["app.kubernetes.io/part-of"] = i.values.Kubernetes.PartOf
	}
	optional := maps.Clone(i.values.CommonLabels)
	if optional == nil {
		optional = map[string]string{}
	}
	maps.Copy(optional, more)
	maps.DeleteFunc(optional, func(_, value string) bool { return value == "" })
	maps.Copy(labels, optional)
	return labels
}

// kind is a kind of objects in an API group and version.
type kind struct{ apiVersion, name string }

// kinds returns the kinds of objects that helm install creates.
func (i *Install) kinds() ([]kind, error) {
	found := []kind{{"v1", "Secret"}} // Helm keeps the release in it
	for _, rule := range kindRules {
		if rule.when(i) {
			found = append(found, rule.kind)
		}
	}
	for _, raw := range i.values.ExtraObjects {
		var object struct{ APIVersion, Kind string }
		text, err := json.Marshal(raw)
		if err == nil {
			err = yaml.Unmarshal(text, &object)
		}
		if err != nil {
			return nil, fmt.Errorf("extraObjects: %w", err)
		}
		found = append(found, kind{object.APIVersion, object.Kind})
	}
	return found, nil
}

// kindRules have the kinds of the templates of the chart, and when they render one.
var kindRules = []struct {
	kind
	when func(*Install) bool
}{
	{kind{"v1", "ServiceAccount"}, func(i *Install) bool { return i.values.ServiceAccount.Create || i.server() }},
	{kind{"apps/v1", "Deployment"}, func(i *Install) bool { return i.deploys() || i.server() }},
	{kind{"v1", "Service"}, func(i *Install) bool { return i.deploys() || i.api() }},
	{kind{"policy/v1", "PodDisruptionBudget"}, func(i *Install) bool { return i.server() || i.any(i.hasBudget) }},
	{kind{"networking.k8s.io/v1", "NetworkPolicy"}, func(i *Install) bool {
		return i.deploys() && i.values.NetworkPolicy.Enabled || i.server() && i.values.Server.NetworkPolicy.Enabled
	}},
	{kind{"gateway.networking.k8s.io/v1", "HTTPRoute"}, (*Install).hasRoutes},
	{kind{"gateway.networking.k8s.io/v1", "GRPCRoute"}, (*Install).hasRoutes},
	{kind{"monitoring.coreos.com/v1", "PodMonitor"}, func(i *Install) bool {
		return i.any(i.isMonitored) || i.server() && i.values.Server.Metrics.Enabled
	}},
	{kind{"monitoring.coreos.com/v1", "PrometheusRule"}, (*Install).scales},
	{kind{"autoscaling/v2", "HorizontalPodAutoscaler"}, func(i *Install) bool { return !i.keda() && i.any(i.isUnscheduled) }},
	{kind{"keda.sh/v1alpha1", "ScaledObject"}, func(i *Install) bool { return i.keda() && i.scales() }},
	{kind{"v1", "ConfigMap"}, func(i *Install) bool { return i.server() || i.values.Dashboards.Enabled }},
	{kind{"grafana.integreatly.org/v1beta1", "GrafanaDashboard"}, func(i *Install) bool {
		return i.values.Dashboards.Enabled && i.values.Dashboards.GrafanaOperator.Enabled
	}},
	{kind{"rbac.authorization.k8s.io/v1", "Role"}, (*Install).server},
	{kind{"rbac.authorization.k8s.io/v1", "RoleBinding"}, (*Install).server},
	{kind{"rbac.authorization.k8s.io/v1", "ClusterRole"}, func(i *Install) bool {
		return i.hasClusterRoles() || i.server() && i.values.Server.CRD.Enabled
	}},
	{kind{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding"}, (*Install).hasClusterRoles},
	{kind{"apiextensions.k8s.io/v1", "CustomResourceDefinition"}, func(i *Install) bool { return i.server() && i.values.Server.CRD.Enabled }},
	{kind{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"}, (*Install).hasAdmissionPolicy},
	{kind{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"}, (*Install).hasAdmissionPolicy},
	{kind{"flowcontrol.apiserver.k8s.io/v1", "FlowSchema"}, func(i *Install) bool { return i.server() && i.values.Server.FlowSchema.Enabled }},
	{kind{"cert-manager.io/v1", "Certificate"}, func(i *Install) bool {
		return i.api() && i.values.Server.APIService.TLS.CertManager.IssuerRef.Name != ""
	}},
}

func (i *Install) server() bool { return i.values.Server.Enabled }
func (i *Install) keda() bool   { return i.values.Server.Autoscaling.Source == policy.SourceKEDA }
func (i *Install) api() bool    { return i.server() && i.values.Server.APIService.Enabled }

func (i *Install) any(is func(v1alpha1.LeaseSpec) bool) bool {
	for _, lease := range i.values.Leases {
		if is(lease) {
			return true
		}
	}
	return false
}

// deploys reports whether a lease has models, and so the chart deploys a Triton.
func (i *Install) deploys() bool {
	return i.any(func(lease v1alpha1.LeaseSpec) bool { return len(lease.Models) > 0 })
}

// scales reports whether a lease scales.
func (i *Install) scales() bool { return i.any(i.isScaled) }

func (i *Install) isScaled(lease v1alpha1.LeaseSpec) bool {
	return i.values.Server.Autoscaling.Enable && lease.Autoscaling.Enable
}

// isUnscheduled reports whether the chart renders the autoscaler of a lease, and not tms-server.
func (i *Install) isUnscheduled(lease v1alpha1.LeaseSpec) bool {
	return i.isScaled(lease) && len(lease.Autoscaling.Replicas.Schedule) == 0
}

func (i *Install) isMonitored(lease v1alpha1.LeaseSpec) bool {
	return i.isScaled(lease) || i.values.Metrics.Enabled
}

func (i *Install) hasBudget(lease v1alpha1.LeaseSpec) bool {
	budget := i.values.Triton.PodDisruptionBudget
	if lease.Triton != nil && lease.Triton.PodDisruptionBudget != nil {
		budget = lease.Triton.PodDisruptionBudget
	}
	return len(lease.Models) > 0 && budget != nil && len(budget.MinAvailable)+len(budget.MaxUnavailable) > 0
}

func (i *Install) hasRoutes() bool { return i.deploys() && len(i.values.Routes.ParentRefs) > 0 }

func (i *Install) hasClusterRoles() bool {
	return i.server() && len(i.values.Server.Namespaces) == 0 || i.api() && i.values.Server.APIService.ClusterRole.Enabled
}

func (i *Install) hasAdmissionPolicy() bool {
	return i.server() && i.values.Server.AdmissionPolicy.Enabled
}

// usesMetric reports whether leases that scale can use a metric of Prometheus, or that of
// metrics-server.
func (i *Install) usesMetric(cpu bool) bool {
	own := func(lease v1alpha1.LeaseSpec) bool {
		for name, request := range lease.Autoscaling.Metrics {
			on := request.Enabled != nil && *request.Enabled || request.Enable != nil && *request.Enable
			if i.isScaled(lease) && on && (name == v1alpha1.CPUUtilization) == cpu {
				return true
			}
		}
		return false
	}
	for name, bounds := range i.values.Server.Autoscaling.Metrics {
		if (name == v1alpha1.CPUUtilization) == cpu && bounds.InEffect() && (i.scales() || i.server()) {
			return true
		}
	}
	return i.any(own)
}
