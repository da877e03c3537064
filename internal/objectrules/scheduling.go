package objectrules

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (r *report) scheduling(at *field.Path, spec *corev1.PodSpec, podLabels map[string]string) {
	for i := range spec.Tolerations {
		r.toleration(at.Child("tolerations").Index(i), &spec.Tolerations[i])
	}
	r.spread(at.Child("topologySpreadConstraints"), spec.TopologySpreadConstraints, podLabels)
	if spec.Affinity == nil {
		return
	}
	at = at.Child("affinity")
	if node := spec.Affinity.NodeAffinity; node != nil {
		r.nodeAffinity(at.Child("nodeAffinity"), node)
	}
	if pod := spec.Affinity.PodAffinity; pod != nil {
		r.podAffinity(at.Child("podAffinity"), pod.RequiredDuringSchedulingIgnoredDuringExecution,
			pod.PreferredDuringSchedulingIgnoredDuringExecution, podLabels)
	}
	if pod := spec.Affinity.PodAntiAffinity; pod != nil {
		r.podAffinity(at.Child("podAntiAffinity"), pod.RequiredDuringSchedulingIgnoredDuringExecution,
			pod.PreferredDuringSchedulingIgnoredDuringExecution, podLabels)
	}
}

func (r *report) toleration(at *field.Path, t *corev1.Toleration) {
	if t.Key != "" {
		r.labelKey(at.Child("key"), t.Key)
	} else if t.Operator != corev1.TolerationOpExists {
		r.invalid(at.Child("operator"), t.Operator, "must be Exists if key is empty, which tolerates all taints")
	}
	defaulted(r, at.Child("operator"), t.Operator, corev1.TolerationOpEqual, corev1.TolerationOpExists)
	switch t.Operator {
	case corev1.TolerationOpEqual, "":
		r.optionalFormat(at.Child("value"), t.Value, validation.IsValidLabelValue)
	case corev1.TolerationOpExists:
		if t.Value != "" {
			r.invalid(at.Child("value"), t.Value, "must be empty if operator is Exists")
		}
	}
	defaulted(r, at.Child("effect"), t.Effect, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
	if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
		r.invalid(at.Child("effect"), t.Effect, "must be NoExecute if tolerationSeconds is set")
	}
}

func (r *report) spread(at *field.Path, constraints []corev1.TopologySpreadConstraint, podLabels map[string]string) {
	type constraint struct {
		topologyKey       string
		whenUnsatisfiable corev1.UnsatisfiableConstraintAction
	}
	seen := map[constraint]bool{}
	for i, c := range constraints {
		at := at.Index(i)
		this := constraint{c.TopologyKey, c.WhenUnsatisfiable}
		if seen[this] {
			r.add(field.Duplicate(at, c.TopologyKey+" with "+string(c.WhenUnsatisfiable)))
		}
		seen[this] = true
		r.atLeast(at.Child("maxSkew"), int64(c.MaxSkew), 1)
		r.notEmpty(at.Child("topologyKey"), c.TopologyKey)
		oneOf(r, at.Child("whenUnsatisfiable"), c.WhenUnsatisfiable, corev1.DoNotSchedule, corev1.ScheduleAnyway)
		if c.MinDomains != nil {
			r.atLeast(at.Child("minDomains"), int64(*c.MinDomains), 1)
			if c.WhenUnsatisfiable != corev1.DoNotSchedule {
				r.invalid(at.Child("minDomains"), *c.MinDomains, "must not be set if whenUnsatisfiable is not DoNotSchedule")
			}
		}
		optional(r, at.Child("nodeAffinityPolicy"), c.NodeAffinityPolicy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)
		optional(r, at.Child("nodeTaintsPolicy"), c.NodeTaintsPolicy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)
		r.selector(at.Child("labelSelector"), c.LabelSelector)
		r.matchLabelKeys(at.Child("matchLabelKeys"), c.MatchLabelKeys, c.LabelSelector, podLabels)
	}
}

// matchLabelKeys checks the keys of labels that Kubernetes copies from the pod to the
// selector.
func (r *report) matchLabelKeys(at *field.Path, keys []string, selector *metav1.LabelSelector, podLabels map[string]string) {
	if len(keys) > 0 && selector == nil {
		r.forbidden(at, "must not be set if labelSelector is not")
		return
	}
	for i, key := range keys {
		r.labelKey(at.Index(i), key)
		if _, ofPod := podLabels[key]; selects(selector, key) > 1 || ofPod && selects(selector, key) > 0 {
			r.invalid(at.Index(i), key, "must not be in labelSelector, too")
		} else if ofPod && slices.Contains(keys[:i], key) {
			r.add(field.Duplicate(at.Index(i), key))
		}
	}
}

// selects returns how often a key is in a selector.
func selects(selector *metav1.LabelSelector, key string) int {
	n := 0
	if _, ok := selector.MatchLabels[key]; ok {
		n++
	}
	for _, expression := range selector.MatchExpressions {
		if expression.Key == key {
			n++
		}
	}
	return n
}

func (r *report) weight(at *field.Path, weight int32) {
	r.between(at.Child("weight"), int64(weight), 1, 100)
}

func (r *report) podAffinity(at *field.Path, required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, podLabels map[string]string) {
	for i := range required {
		r.podAffinityTerm(at.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i), &required[i], podLabels)
	}
	for i := range preferred {
		at := at.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i)
		r.weight(at, preferred[i].Weight)
		r.podAffinityTerm(at.Child("podAffinityTerm"), &preferred[i].PodAffinityTerm, podLabels)
	}
}

func (r *report) podAffinityTerm(at *field.Path, term *corev1.PodAffinityTerm, podLabels map[string]string) {
	r.labelKey(at.Child("topologyKey"), term.TopologyKey)
	r.selector(at.Child("labelSelector"), term.LabelSelector)
	r.selector(at.Child("namespaceSelector"), term.NamespaceSelector)
	for i, namespace := range term.Namespaces {
		r.format(at.Child("namespaces").Index(i), namespace, validation.IsDNS1123Label)
	}
	r.matchLabelKeys(at.Child("matchLabelKeys"), term.MatchLabelKeys, term.LabelSelector, podLabels)
	mismatch := at.Child("mismatchLabelKeys")
	if len(term.MismatchLabelKeys) > 0 && term.LabelSelector == nil {
		r.forbidden(mismatch, "must not be set if labelSelector is not")
	}
	for i, key := range term.MismatchLabelKeys {
		r.labelKey(mismatch.Index(i), key)
		if slices.Contains(term.MatchLabelKeys, key) {
			r.invalid(mismatch.Index(i), key, "must not be in matchLabelKeys, too")
		}
	}
}

func (r *report) nodeAffinity(at *field.Path, affinity *corev1.NodeAffinity) {
	if required := affinity.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		at := at.Child("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
		if len(required.NodeSelectorTerms) == 0 {
			r.required(at, "at least one term must be set")
		}
		for i := range required.NodeSelectorTerms {
			r.nodeSelectorTerm(at.Index(i), &required.NodeSelectorTerms[i], true)
		}
	}
	for i, term := range affinity.PreferredDuringSchedulingIgnoredDuringExecution {
		at := at.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i)
		r.weight(at, term.Weight)
		r.nodeSelectorTerm(at.Child("preference"), &term.Preference, false)
	}
}

func (r *report) nodeSelectorTerm(at *field.Path, term *corev1.NodeSelectorTerm, checkValues bool) {
	for i, requirement := range term.MatchExpressions {
		at := at.Child("matchExpressions").Index(i)
		r.labelKey(at.Child("key"), requirement.Key)
		r.nodeSelectorOperator(at, requirement.Operator, requirement.Values)
		for k, value := range requirement.Values {
			if checkValues {
				r.optionalFormat(at.Child("values").Index(k), value, validation.IsValidLabelValue)
			}
		}
	}
	for i, requirement := range term.MatchFields {
		at := at.Child("matchFields").Index(i)
		oneOf(r, at.Child("key"), requirement.Key, metav1.ObjectNameField)
		oneOf(r, at.Child("operator"), requirement.Operator, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn)
		if len(requirement.Values) != 1 {
			r.required(at.Child("values"), "exactly one value must be set")
		}
		for k, value := range requirement.Values {
			r.format(at.Child("values").Index(k), value, validation.IsDNS1123Subdomain)
		}
	}
}

func (r *report) nodeSelectorOperator(at *field.Path, operator corev1.NodeSelectorOperator, values []string) {
	oneOf(r, at.Child("operator"), operator, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists,
		corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt)
	at = at.Child("values")
	switch operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(values) == 0 {
			r.required(at, "operator "+string(operator)+" needs a value")
		}
	case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
		if len(values) > 0 {
			r.forbidden(at, "must be empty if operator is "+string(operator))
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(values) != 1 {
			r.required(at, "operator "+string(operator)+" needs exactly one value")
		}
	}
}
