package objectrules

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// customGroups are the API groups of custom resources that the chart renders. Their
// names are DNS subdomains, those of other kinds need only be a segment of a URL's path.
var customGroups = []string{"monitoring.coreos.com", "gateway.networking.k8s.io"}

func customResource(object runtime.Object) bool {
	return slices.Contains(customGroups, object.GetObjectKind().GroupVersionKind().Group)
}

func isPathSegment(name string) []string { return content.IsPathSegmentName(name) }

// metadata does not require a namespace: it may come from the request.
func (r *report) metadata(at *field.Path, object metav1.Object, checkName func(string) []string) {
	r.addSorted(apivalidation.ValidateObjectMetaAccessor(object, object.GetNamespace() != "",
		func(name string, _ bool) []string { return checkName(name) }, at))
	unique(r, at.Child("finalizers"), "", object.GetFinalizers(), itself)
	unique(r, at.Child("ownerReferences"), "uid", object.GetOwnerReferences(),
		func(o *metav1.OwnerReference) types.UID { return o.UID })
}

func (r *report) templateMetadata(at *field.Path, meta *metav1.ObjectMeta) {
	r.labels(at.Child("labels"), meta.Labels)
	annotations := at.Child("annotations")
	r.addSorted(apivalidation.ValidateAnnotations(meta.Annotations, annotations))
	if cost, ok := meta.Annotations[corev1.PodDeletionCost]; ok && !isDeletionCost(cost) {
		r.invalid(annotations.Key(corev1.PodDeletionCost), cost, "must be an integer of 32 bits without a leading zero or plus")
	}
}

func isDeletionCost(text string) bool {
	_, err := strconv.ParseInt(text, 10, 32)
	return err == nil && text[0] != '+' && (text[0] != '0' || text == "0")
}

func (r *report) labels(at *field.Path, labels map[string]string) {
	r.addSorted(metavalidation.ValidateLabels(labels, at))
}

func (r *report) labelKey(at *field.Path, key string) {
	if key == "" {
		r.required(at, "")
		return
	}
	r.add(metavalidation.ValidateLabelName(key, at)...)
}

// selector checks a label selector. A nil selector is valid.
func (r *report) selector(at *field.Path, selector *metav1.LabelSelector) {
	r.addSorted(metavalidation.ValidateLabelSelector(selector, metavalidation.LabelSelectorValidationOptions{}, at))
}

// secrets checks the secrets of a ServiceAccount.
func (r *report) secrets(at *field.Path, secrets []corev1.ObjectReference) {
	unique(r, at, "name", secrets, func(s *corev1.ObjectReference) string { return s.Name })
	for i, secret := range secrets {
		r.notEmpty(at.Index(i).Child("name"), secret.Name)
	}
}
