package objectrules

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (r *report) disruptionBudget(at *field.Path, spec *policyv1.PodDisruptionBudgetSpec) {
	if spec.MinAvailable != nil {
		r.countOrPercent(at.Child("minAvailable"), *spec.MinAvailable, true)
	}
	if spec.MaxUnavailable != nil {
		r.countOrPercent(at.Child("maxUnavailable"), *spec.MaxUnavailable, true)
		if spec.MinAvailable != nil {
			r.invalid(at.Child("maxUnavailable"), spec.MaxUnavailable.String(), "must not be set if minAvailable is")
		}
	}
	r.selector(at.Child("selector"), spec.Selector)
	optional(r, at.Child("unhealthyPodEvictionPolicy"), spec.UnhealthyPodEvictionPolicy, policyv1.IfHealthyBudget, policyv1.AlwaysAllow)
}

func (r *report) autoscaler(at *field.Path, spec *autoscalingv2.HorizontalPodAutoscalerSpec) {
	least := deref(spec.MinReplicas, 1)
	r.atLeast(at.Child("minReplicas"), int64(least), 0)
	r.atLeast(at.Child("maxReplicas"), int64(spec.MaxReplicas), 1)
	if spec.MaxReplicas < least {
		r.invalid(at.Child("maxReplicas"), spec.MaxReplicas, "must be at least minReplicas, %d", least)
	}
	r.objectReference(at.Child("scaleTargetRef"), &spec.ScaleTargetRef, spec.ScaleTargetRef.Kind == "ReplicationController")

	toZero := false
	for i := range spec.Metrics {
		metric := &spec.Metrics[i]
		r.metric(at.Child("metrics").Index(i), metric)
		toZero = toZero || metric.Type == autoscalingv2.ObjectMetricSourceType || metric.Type == autoscalingv2.ExternalMetricSourceType
	}
	if least == 0 && !toZero {
		r.forbidden(at.Child("metrics"), "minReplicas 0 needs a metric of type Object or External")
	}
	if spec.Behavior != nil {
		r.scalingRules(at.Child("behavior", "scaleUp"), spec.Behavior.ScaleUp)
		r.scalingRules(at.Child("behavior", "scaleDown"), spec.Behavior.ScaleDown)
	}
}

func (r *report) objectReference(at *field.Path, ref *autoscalingv2.CrossVersionObjectReference, coreGroup bool) {
	r.format(at.Child("kind"), ref.Kind, isPathSegment)
	r.format(at.Child("name"), ref.Name, isPathSegment)
	version, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil || version.Group == "" && !coreGroup {
		r.invalid(at.Child("apiVersion"), ref.APIVersion, "must be <group>/<version>, such as apps/v1")
	}
}

func (r *report) scalingRules(at *field.Path, rules *autoscalingv2.HPAScalingRules) {
	const hour, halfHour = 3600, 1800
	if rules == nil {
		return
	}
	if rules.StabilizationWindowSeconds != nil {
		r.between(at.Child("stabilizationWindowSeconds"), int64(*rules.StabilizationWindowSeconds), 0, hour)
	}
	optional(r, at.Child("selectPolicy"), rules.SelectPolicy,
		autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect, autoscalingv2.DisabledPolicySelect)
	if rules.Tolerance != nil && rules.Tolerance.Sign() < 0 {
		r.invalid(at.Child("tolerance"), rules.Tolerance.String(), "must not be negative")
	}
	policies := at.Child("policies")
	if rules.Policies != nil && len(rules.Policies) == 0 {
		r.required(policies, "at least one policy must be set")
	}
	for i, policy := range rules.Policies {
		oneOf(r, policies.Index(i).Child("type"), policy.Type, autoscalingv2.PodsScalingPolicy, autoscalingv2.PercentScalingPolicy)
		r.atLeast(policies.Index(i).Child("value"), int64(policy.Value), 1)
		r.between(policies.Index(i).Child("periodSeconds"), int64(policy.PeriodSeconds), 1, halfHour)
	}
}

// metricFields are the field of a metric for each type.
var metricFields = map[autoscalingv2.MetricSourceType]string{
	autoscalingv2.ObjectMetricSourceType:            "object",
	autoscalingv2.PodsMetricSourceType:              "pods",
	autoscalingv2.ResourceMetricSourceType:          "resource",
	autoscalingv2.ContainerResourceMetricSourceType: "containerResource",
	autoscalingv2.ExternalMetricSourceType:          "external",
}

func (r *report) metric(at *field.Path, metric *autoscalingv2.MetricSpec) {
	oneOf(r, at.Child("type"), metric.Type, autoscalingv2.ResourceMetricSourceType, autoscalingv2.ContainerResourceMetricSourceType,
		autoscalingv2.PodsMetricSourceType, autoscalingv2.ObjectMetricSourceType, autoscalingv2.ExternalMetricSourceType)
	expected, set := metricFields[metric.Type], false
	for _, name := range sources(*metric) {
		if name == expected {
			set = true
		} else {
			r.forbidden(at.Child(name), "must not be set if type is "+string(metric.Type))
		}
	}
	if expected != "" && !set {
		r.required(at.Child(expected), "type "+string(metric.Type)+" needs it")
	}
	const value, utilization, average = "value", "averageUtilization", "averageValue"
	if m := metric.Object; m != nil {
		at := at.Child("object")
		r.objectReference(at.Child("describedObject"), &m.DescribedObject, true)
		r.format(at.Child("metric", "name"), m.Metric.Name, isPathSegment)
		r.target(at.Child("target"), &m.Target, false, value, average)
	}
	if m := metric.External; m != nil {
		r.format(at.Child("external", "metric", "name"), m.Metric.Name, isPathSegment)
		r.target(at.Child("external", "target"), &m.Target, true, value, average)
	}
	if m := metric.Pods; m != nil {
		r.format(at.Child("pods", "metric", "name"), m.Metric.Name, isPathSegment)
		r.target(at.Child("pods", "target"), &m.Target, false, average)
	}
	if m := metric.Resource; m != nil {
		r.notEmpty(at.Child("resource", "name"), string(m.Name))
		r.target(at.Child("resource", "target"), &m.Target, true, utilization, average)
	}
	if m := metric.ContainerResource; m != nil {
		r.format(at.Child("containerResource", "name"), string(m.Name), isContainerResource)
		r.format(at.Child("containerResource", "container"), m.Container, validation.IsDNS1123Label)
		r.target(at.Child("containerResource", "target"), &m.Target, true, utilization, average)
	}
}

// target checks that one of the fields needed is set, and if exclusive only one of them.
func (r *report) target(at *field.Path, target *autoscalingv2.MetricTarget, exclusive bool, needed ...string) {
	oneOf(r, at.Child("type"), target.Type,
		autoscalingv2.UtilizationMetricType, autoscalingv2.ValueMetricType, autoscalingv2.AverageValueMetricType)
	r.positive(at.Child("value"), target.Value)
	r.positive(at.Child("averageValue"), target.AverageValue)
	if target.AverageUtilization != nil {
		r.atLeast(at.Child("averageUtilization"), int64(*target.AverageUtilization), 1)
	}
	set := map[string]bool{
		"value": target.Value != nil, "averageValue": target.AverageValue != nil, "averageUtilization": target.AverageUtilization != nil,
	}
	first := ""
	for _, name := range needed {
		switch {
		case !set[name]:
		case first == "":
			first = name
		case exclusive:
			r.forbidden(at.Child(name), "must not be set if "+first+" is")
		}
	}
	if first == "" {
		r.required(at.Child(needed[0]), "one of "+join(needed)+" must be set")
	}
}

func (r *report) positive(at *field.Path, quantity *resource.Quantity) {
	if quantity != nil && quantity.Sign() <= 0 {
		r.invalid(at, quantity.String(), "must be greater than 0")
	}
}
