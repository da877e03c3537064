package objectrules

import (
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	defaultProgressDeadline = 600
	defaultGracePeriod      = corev1.DefaultTerminationGracePeriodSeconds
)

func (r *report) deployment(at *field.Path, spec *appsv1.DeploymentSpec) {
	r.atLeast(at.Child("replicas"), int64(deref(spec.Replicas, 1)), 0)
	r.atLeast(at.Child("minReadySeconds"), int64(spec.MinReadySeconds), 0)
	r.atLeast(at.Child("revisionHistoryLimit"), int64(deref(spec.RevisionHistoryLimit, 0)), 0)
	deadline := deref(spec.ProgressDeadlineSeconds, defaultProgressDeadline)
	r.atLeast(at.Child("progressDeadlineSeconds"), int64(deadline), 0)
	if deadline <= spec.MinReadySeconds {
		r.invalid(at.Child("progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds, which is %d", spec.MinReadySeconds)
	}
	r.strategy(at.Child("strategy"), &spec.Strategy)

	template := at.Child("template")
	r.deploymentSelector(at.Child("selector"), template.Child("metadata", "labels"), spec)
	r.templateMetadata(template.Child("metadata"), &spec.Template.ObjectMeta)
	pod := template.Child("spec")
	defaulted(r, pod.Child("restartPolicy"), spec.Template.Spec.RestartPolicy, corev1.RestartPolicyAlways)
	if spec.Template.Spec.ActiveDeadlineSeconds != nil {
		r.forbidden(pod.Child("activeDeadlineSeconds"), "a Deployment's pods have no deadline")
	}
	if len(spec.Template.Spec.EphemeralContainers) > 0 {
		r.forbidden(pod.Child("ephemeralContainers"), "a pod template has no ephemeral containers")
	}
	// The ReplicaSet controller adds a label, which selectors may name in matchLabelKeys.
	podLabels := maps.Clone(spec.Template.Labels)
	if podLabels == nil {
		podLabels = map[string]string{}
	}
	podLabels[appsv1.DefaultDeploymentUniqueLabelKey] = "hash"
	r.pod(pod, &spec.Template.Spec, podLabels)
}

func (r *report) deploymentSelector(at, labelsAt *field.Path, spec *appsv1.DeploymentSpec) {
	if spec.Selector == nil {
		r.required(at, "")
		return
	}
	before := len(r.errors)
	r.selector(at, spec.Selector)
	if len(spec.Selector.MatchLabels)+len(spec.Selector.MatchExpressions) == 0 {
		r.invalid(at, spec.Selector, "must select the labels of the pod template, and not all pods")
	}
	if len(r.errors) > before {
		return
	}
	if s, err := metav1.LabelSelectorAsSelector(spec.Selector); err != nil {
		r.invalid(at, spec.Selector, "%s", err.Error())
	} else if !s.Matches(labels.Set(spec.Template.Labels)) {
		r.invalid(labelsAt, spec.Template.Labels, "must match spec.selector, %s", s)
	}
}

func (r *report) strategy(at *field.Path, strategy *appsv1.DeploymentStrategy) {
	defaulted(r, at.Child("type"), strategy.Type, appsv1.RollingUpdateDeploymentStrategyType, appsv1.RecreateDeploymentStrategyType)
	if strategy.RollingUpdate == nil {
		return
	}
	update := at.Child("rollingUpdate")
	if strategy.Type == appsv1.RecreateDeploymentStrategyType {
		r.forbidden(update, "must not be set if type is Recreate")
		return
	}
	quarter := intstr.FromString("25%")
	unavailable := deref(strategy.RollingUpdate.MaxUnavailable, quarter)
	surge := deref(strategy.RollingUpdate.MaxSurge, quarter)
	r.countOrPercent(update.Child("maxUnavailable"), unavailable, true)
	r.countOrPercent(update.Child("maxSurge"), surge, false)
	if isZero(unavailable) && isZero(surge) {
		r.invalid(update.Child("maxUnavailable"), unavailable, "must not be 0 if maxSurge is 0")
	}
}

// countOrPercent checks a number of pods, or a percentage of them.
func (r *report) countOrPercent(at *field.Path, value intstr.IntOrString, atMost100 bool) {
	if value.Type == intstr.Int {
		r.atLeast(at, int64(value.IntVal), 0)
		return
	}
	if len(validation.IsValidPercent(value.StrVal)) > 0 {
		r.invalid(at, value, "must be an integer, or a percentage such as 25%%")
	} else if atMost100 && percent(value.StrVal) > 100 {
		r.invalid(at, value, "must be at most 100%%")
	}
}

// isZero is false for text that countOrPercent refuses.
func isZero(value intstr.IntOrString) bool {
	if value.Type == intstr.Int {
		return value.IntVal == 0
	}
	return len(validation.IsValidPercent(value.StrVal)) == 0 && percent(value.StrVal) == 0
}

// percent returns the number of a valid percentage, at most the largest int.
func percent(text string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(text, "%"))
	return n
}
