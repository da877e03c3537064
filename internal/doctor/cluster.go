package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

const (
	nameLabel      = "app.kubernetes.io/name"
	instanceLabel  = "app.kubernetes.io/instance"
	componentLabel = "app.kubernetes.io/component"
)

// components are those that leases need, or not.
type components struct{ adapter, keda, metricsServer bool }

// clusterSteps check what all leases need.
func (d *Doctor) clusterSteps(scalers []autoscalingv2.HorizontalPodAutoscaler) []step {
	needed := func(kind autoscalingv2.MetricSourceType) bool {
		for _, scaler := range scalers {
			if slices.ContainsFunc(scaler.Spec.Metrics, func(m autoscalingv2.MetricSpec) bool { return m.Type == kind }) {
				return true
			}
		}
		return false
	}
	return d.componentSteps(components{
		adapter:       needed(autoscalingv2.PodsMetricSourceType),
		keda:          needed(autoscalingv2.ExternalMetricSourceType) || len(d.scaledObjects) > 0,
		metricsServer: needed(autoscalingv2.ContainerResourceMetricSourceType),
	})
}

// componentSteps check the components. Each step records what it finds as broken, and lets the
// others run, except that a cluster without the kinds of the operator has no Prometheus.
func (d *Doctor) componentSteps(needed components) []step {
	steps := []step{
		{"the API server serves the kinds of the Prometheus Operator", d.checkOperatorKinds},
		{"the cluster has a Prometheus", d.checkPrometheuses},
		{"the Prometheus Operator is available", d.checkOperator},
	}
	if needed.adapter {
		steps = append(steps, step{"custom.metrics.k8s.io is available", d.checkAdapter})
	}
	if needed.keda {
		steps = append(steps,
			step{"the API server serves the kinds of KEDA", d.checkKEDA},
			step{"external.metrics.k8s.io is available", d.checkExternalMetrics},
			step{"KEDA can keep the replicas if a metric is missing", d.checkFallback},
		)
	}
	if needed.metricsServer {
		steps = append(steps, step{"metrics.k8s.io is available", d.checkMetricsServer})
	}
	return append(steps, step{"kube-state-metrics is installed", d.checkStateMetrics})
}

func (d *Doctor) checkOperatorKinds(ctx context.Context) error {
	all, err := d.client.resources(ctx, "monitoring.coreos.com/v1")
	if err != nil {
		return unreadable(err)
	}
	for _, kind := range []string{"Prometheus", "PodMonitor", "PrometheusRule"} {
		if !slices.ContainsFunc(all, func(r metav1.APIResource) bool { return r.Kind == kind }) {
			return d.findComponent(operatorKinds, noOperatorKinds, nil)
		}
	}
	return nil
}

func (d *Doctor) checkPrometheuses(ctx context.Context) error {
	if d.broken[operatorKinds] != "" {
		return errUnknown
	}
	var list struct {
		Items []prometheus `json:"items"`
	}
	if err := d.client.list(ctx, monitoringAPI, "", "prometheuses", "", &list); err != nil {
		return unreadable(err)
	}
	if len(list.Items) == 0 {
		return d.findComponent(operatorKinds, noPrometheus, nil)
	}
	d.prometheuses = list.Items
	return nil
}

// deployment is what the doctor reads of a Deployment. The Go types of all workloads would
// double the size of tmsctl.
type deployment struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Replicas *int32 `json:"replicas"`
	} `json:"spec"`
	Status struct {
		AvailableReplicas int32 `json:"availableReplicas"`
	} `json:"status"`
}

// deployments lists those of all namespaces that have the label of a name, except those of
// leases.
func (d *Doctor) deployments(ctx context.Context) ([]deployment, error) {
	var list struct {
		Items []deployment `json:"items"`
	}
	err := d.client.list(ctx, "/apis/apps/v1", "", "deployments", nameLabel+",!"+v1alpha1.LeaseLabel, &list)
	return list.Items, unreadable(err)
}

// checkOperator finds an operator without an available replica. That a cluster has none with
// the usual label is not a problem: it can run in another way.
func (d *Doctor) checkOperator(ctx context.Context) error {
	all, err := d.deployments(ctx)
	if err != nil {
		return err
	}
	for _, found := range all {
		if strings.HasSuffix(found.Labels[nameLabel], "prometheus-operator") && found.Status.AvailableReplicas == 0 {
			return find(operatorDown, fields{"namespace": found.Namespace, "name": found.Name, "label": found.Labels[nameLabel]})
		}
	}
	return nil
}

func (d *Doctor) checkStateMetrics(ctx context.Context) error {
	all, err := d.deployments(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(found deployment) bool { return found.Labels[nameLabel] == "kube-state-metrics" }) {
		return find(noStateMetrics, nil)
	}
	return nil
}

func (d *Doctor) checkAdapter(ctx context.Context) error {
	return d.checkAPIService(ctx, customMetrics, noAdapter, adapterDown)
}

func (d *Doctor) checkMetricsServer(ctx context.Context) error {
	return d.checkAPIService(ctx, cpuMetrics, noMetricsServer, metricsServerDown)
}

// checkAPIService checks that an aggregated API exists and is available. A user who may not
// read the APIService can see whether the API answers.
func (d *Doctor) checkAPIService(ctx context.Context, group component, missing, down string) error {
	var service struct {
		Spec struct {
			Service *struct{ Namespace, Name string } `json:"service"`
		} `json:"spec"`
		Status struct {
			Conditions []struct{ Type, Status, Message string } `json:"conditions"`
		} `json:"status"`
	}
	err := d.client.get(ctx, "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1."+string(group), nil, &service)
	var skip *skipped
	if errors.As(err, &skip) {
		var list metav1.APIResourceList
		err = d.client.get(ctx, "/apis/"+string(group)+"/v1beta1", nil, &list)
		if reason, failed := refused(err); failed && !isNotFound(err) {
			return d.findComponent(group, down, fields{"reason": reason})
		}
	}
	if isNotFound(err) {
		return d.findComponent(group, missing, nil)
	}
	if err != nil {
		return unreadable(err)
	}
	for _, condition := range service.Status.Conditions {
		if condition.Type == "Available" && condition.Status == string(metav1.ConditionFalse) {
			f := fields{"reason": condition.Message}
			if service.Spec.Service != nil {
				f["namespace"], f["name"] = service.Spec.Service.Namespace, service.Spec.Service.Name
			}
			return d.findComponent(group, down, f)
		}
	}
	return nil
}

// unreadable returns an error of the API server as a *skipped.
func unreadable(err error) error {
	if reason, failed := refused(err); failed {
		return &skipped{reason}
	}
	return err
}
