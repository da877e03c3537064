package objectrules

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (r *report) projected(at *field.Path, projected *corev1.ProjectedVolumeSource) {
	r.fileMode(at.Child("defaultMode"), projected.DefaultMode)
	paths := sets.New[string]()
	for i, source := range projected.Sources {
		at := at.Child("sources").Index(i)
		r.oneSource(at, source)
		if s := source.Secret; s != nil {
			r.notEmpty(at.Child("secret", "name"), s.Name)
			r.keysToPaths(at.Child("secret", "items"), s.Items, paths)
		}
		if s := source.ConfigMap; s != nil {
			r.notEmpty(at.Child("configMap", "name"), s.Name)
			r.keysToPaths(at.Child("configMap", "items"), s.Items, paths)
		}
		if s := source.DownwardAPI; s != nil {
			r.downwardFiles(at.Child("downwardAPI", "items"), s.Items, paths)
		}
		if s := source.ServiceAccountToken; s != nil {
			const hour, least, most = 3600, 600, 1 << 32
			at := at.Child("serviceAccountToken")
			r.between(at.Child("expirationSeconds"), deref(s.ExpirationSeconds, hour), least, most)
			r.filePath(at.Child("path"), s.Path, nil)
		}
	}
}

// claimTemplate checks the PersistentVolumeClaim of an ephemeral volume.
func (r *report) claimTemplate(at *field.Path, template *corev1.PersistentVolumeClaimTemplate) {
	if template == nil {
		r.required(at, "")
		return
	}
	meta := at.Child("metadata")
	r.labels(meta.Child("labels"), template.Labels)
	r.addSorted(apivalidation.ValidateAnnotations(template.Annotations, meta.Child("annotations")))
	if !reflect.DeepEqual(template.ObjectMeta, metav1.ObjectMeta{Labels: template.Labels, Annotations: template.Annotations}) {
		r.forbidden(meta, "only labels and annotations may be set")
	}
	r.claimSpec(at.Child("spec"), &template.Spec)
}

func (r *report) claimSpec(at *field.Path, spec *corev1.PersistentVolumeClaimSpec) {
	modes := at.Child("accessModes")
	if len(spec.AccessModes) == 0 {
		r.required(modes, "at least one access mode must be set")
	}
	for i, mode := range spec.AccessModes {
		oneOf(r, modes.Index(i), mode, corev1.ReadWriteOnce, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOncePod)
		if slices.Contains(spec.AccessModes, corev1.ReadWriteOncePod) && mode != corev1.ReadWriteOncePod {
			r.forbidden(modes.Index(i), "must not be set besides ReadWriteOncePod")
		}
	}
	storage := at.Child("resources", "requests").Key(string(corev1.ResourceStorage))
	if size, ok := spec.Resources.Requests[corev1.ResourceStorage]; !ok {
		r.required(storage, "")
	} else if size.Sign() <= 0 {
		r.invalid(storage, size.String(), "must be greater than 0")
	}
	r.selector(at.Child("selector"), spec.Selector)
	r.optionalFormat(at.Child("storageClassName"), deref(spec.StorageClassName, ""), validation.IsDNS1123Subdomain)
	r.optionalFormat(at.Child("volumeAttributesClassName"), deref(spec.VolumeAttributesClassName, ""), validation.IsDNS1123Subdomain)
	optional(r, at.Child("volumeMode"), spec.VolumeMode, corev1.PersistentVolumeFilesystem, corev1.PersistentVolumeBlock)
	if s := spec.DataSource; s != nil {
		r.dataSource(at.Child("dataSource"), deref(s.APIGroup, ""), s.Kind, s.Name)
	}
	ref := spec.DataSourceRef
	if ref == nil {
		return
	}
	r.dataSource(at.Child("dataSourceRef"), deref(ref.APIGroup, ""), ref.Kind, ref.Name)
	namespace := deref(ref.Namespace, "")
	r.optionalFormat(at.Child("dataSourceRef", "namespace"), namespace, validation.IsDNS1123Label)
	if s := spec.DataSource; s != nil {
		switch {
		case namespace != "":
			r.invalid(at.Child("dataSource"), s.Name, "must not be set if dataSourceRef.namespace is")
		case !reflect.DeepEqual(s.APIGroup, ref.APIGroup) || s.Kind != ref.Kind || s.Name != ref.Name:
			r.invalid(at.Child("dataSource"), s.Name, "must be equal to dataSourceRef, if both are set")
		}
	}
}

func (r *report) dataSource(at *field.Path, group, kind, name string) {
	r.notEmpty(at.Child("name"), name)
	r.notEmpty(at.Child("kind"), kind)
	r.optionalFormat(at.Child("apiGroup"), group, validation.IsDNS1123Subdomain)
	if group == "" && kind != "" && kind != "PersistentVolumeClaim" {
		r.invalid(at.Child("kind"), kind, "must be PersistentVolumeClaim if apiGroup is empty")
	}
}
