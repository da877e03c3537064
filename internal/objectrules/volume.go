package objectrules

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// volumes returns the volumes by name.
func (r *report) volumes(at *field.Path, volumes []corev1.Volume) map[string]*corev1.Volume {
	unique(r, at, "name", volumes, func(v *corev1.Volume) string { return v.Name })
	byName := make(map[string]*corev1.Volume, len(volumes))
	for i := range volumes {
		v := &volumes[i]
		byName[v.Name] = v
		r.format(at.Index(i).Child("name"), v.Name, validation.IsDNS1123Label)
		r.oneSource(at.Index(i), v.VolumeSource) // without a source a volume is an emptyDir
		r.volumeSource(at.Index(i), &v.VolumeSource)
	}
	return byName
}

func (r *report) volumeSource(at *field.Path, v *corev1.VolumeSource) {
	if s := v.EmptyDir; s != nil && s.SizeLimit != nil && s.SizeLimit.Sign() < 0 {
		r.forbidden(at.Child("emptyDir", "sizeLimit"), "must not be negative")
	}
	if s := v.HostPath; s != nil {
		at := at.Child("hostPath")
		r.notEmpty(at.Child("path"), s.Path)
		r.noBacksteps(at.Child("path"), s.Path)
		if s.Path != "" {
			defaulted(r, at.Child("type"), deref(s.Type, ""), corev1.HostPathDirectoryOrCreate, corev1.HostPathDirectory,
				corev1.HostPathFileOrCreate, corev1.HostPathFile, corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev)
		}
	}
	if s := v.Secret; s != nil {
		at := at.Child("secret")
		r.notEmpty(at.Child("secretName"), s.SecretName)
		r.fileMode(at.Child("defaultMode"), s.DefaultMode)
		r.keysToPaths(at.Child("items"), s.Items, nil)
	}
	if s := v.ConfigMap; s != nil {
		at := at.Child("configMap")
		r.notEmpty(at.Child("name"), s.Name)
		r.fileMode(at.Child("defaultMode"), s.DefaultMode)
		r.keysToPaths(at.Child("items"), s.Items, nil)
	}
	if s := v.DownwardAPI; s != nil {
		at := at.Child("downwardAPI")
		r.fileMode(at.Child("defaultMode"), s.DefaultMode)
		r.downwardFiles(at.Child("items"), s.Items, nil)
	}
	if s := v.Projected; s != nil {
		r.projected(at.Child("projected"), s)
	}
	if s := v.PersistentVolumeClaim; s != nil {
		r.notEmpty(at.Child("persistentVolumeClaim", "claimName"), s.ClaimName)
	}
	if s := v.NFS; s != nil {
		at := at.Child("nfs")
		r.notEmpty(at.Child("server"), s.Server)
		if !path.IsAbs(s.Path) {
			r.invalid(at.Child("path"), s.Path, "must be an absolute path")
		}
	}
	if s := v.CSI; s != nil {
		r.format(at.Child("csi", "driver"), s.Driver, isCSIDriver)
		if s.NodePublishSecretRef != nil {
			r.format(at.Child("csi", "nodePublishSecretRef", "name"), s.NodePublishSecretRef.Name, validation.IsDNS1123Subdomain)
		}
	}
	if s := v.Ephemeral; s != nil {
		r.claimTemplate(at.Child("ephemeral", "volumeClaimTemplate"), s.VolumeClaimTemplate)
	}
	if s := v.Image; s != nil {
		r.notEmpty(at.Child("image", "reference"), s.Reference)
		defaulted(r, at.Child("image", "pullPolicy"), s.PullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
	}
}

func isCSIDriver(name string) []string {
	details := content.IsDNS1123SubdomainCaseless(name) //nolint:staticcheck // Kubernetes uses it, too
	if len(name) > validation.DNS1123LabelMaxLength {
		details = append(details, validation.MaxLenError(validation.DNS1123LabelMaxLength))
	}
	return details
}

func (r *report) fileMode(at *field.Path, mode *int32) {
	const most = 0o777
	if mode != nil && (*mode < 0 || *mode > most) {
		r.invalid(at, *mode, "must be between 0 and 0777 octal, which is 511")
	}
}

func (r *report) noBacksteps(at *field.Path, name string) {
	if slices.Contains(strings.Split(name, "/"), "..") {
		r.invalid(at, name, "must not contain '..'")
	}
}

func (r *report) relativePath(at *field.Path, name string) {
	if path.IsAbs(name) {
		r.invalid(at, name, "must be a relative path")
	}
	r.noBacksteps(at, name)
}

// filePath checks a required path of a file in a volume. others are the paths of other
// sources of the volume, or nil.
func (r *report) filePath(at *field.Path, name string, others sets.Set[string]) {
	r.notEmpty(at, name)
	r.relativePath(at, name)
	if first, _, _ := strings.Cut(name, "/"); first != ".." && strings.HasPrefix(first, "..") {
		r.invalid(at, name, "must not begin with '..'")
	}
	if name != "" && others != nil {
		if others.Has(name) {
			r.add(field.Duplicate(at, name))
		}
		others.Insert(name)
	}
}

func (r *report) keysToPaths(at *field.Path, items []corev1.KeyToPath, others sets.Set[string]) {
	for i, item := range items {
		r.notEmpty(at.Index(i).Child("key"), item.Key)
		r.filePath(at.Index(i).Child("path"), item.Path, others)
		r.fileMode(at.Index(i).Child("mode"), item.Mode)
	}
}

func (r *report) downwardFiles(at *field.Path, files []corev1.DownwardAPIVolumeFile, others sets.Set[string]) {
	for i, file := range files {
		at := at.Index(i)
		r.filePath(at.Child("path"), file.Path, others)
		r.fileMode(at.Child("mode"), file.Mode)
		if file.FieldRef == nil && file.ResourceFieldRef == nil {
			r.required(at, "fieldRef or resourceFieldRef must be set")
		}
		if file.FieldRef != nil {
			r.fieldRef(at.Child("fieldRef"), file.FieldRef, fileFields)
			if file.ResourceFieldRef != nil {
				r.invalid(at.Child("resourceFieldRef"), file.ResourceFieldRef.Resource, "must not be set if fieldRef is")
			}
		} else if file.ResourceFieldRef != nil {
			r.notEmpty(at.Child("resourceFieldRef", "containerName"), file.ResourceFieldRef.ContainerName)
			r.resourceFieldRef(at.Child("resourceFieldRef"), file.ResourceFieldRef)
		}
	}
}
