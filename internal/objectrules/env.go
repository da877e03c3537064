package objectrules

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (r *report) env(container *field.Path, c *corev1.Container, volumes map[string]*corev1.Volume) {
	at := container.Child("env")
	unique(r, at, "name", c.Env, func(e *corev1.EnvVar) string { return e.Name })
	for i, variable := range c.Env {
		at := at.Index(i)
		r.format(at.Child("name"), variable.Name, validation.IsRelaxedEnvVarName)
		if variable.ValueFrom == nil {
			continue
		}
		from := at.Child("valueFrom")
		if variable.Value != "" {
			r.invalid(from, "", "must not be set if value is")
		}
		r.envSource(from, variable.ValueFrom, volumes)
	}
	at = container.Child("envFrom")
	for i, from := range c.EnvFrom {
		at := at.Index(i)
		r.optionalFormat(at.Child("prefix"), from.Prefix, validation.IsRelaxedEnvVarName)
		if !r.oneSource(at, from) {
			r.required(at, "configMapRef or secretRef must be set")
		}
		if from.ConfigMapRef != nil {
			r.format(at.Child("configMapRef", "name"), from.ConfigMapRef.Name, isNamePrefix)
		}
		if from.SecretRef != nil {
			r.format(at.Child("secretRef", "name"), from.SecretRef.Name, isNamePrefix)
		}
	}
}

// isNamePrefix accepts a name that ends with a dash, as Kubernetes does in envFrom.
func isNamePrefix(name string) []string {
	if len(name) > 1 && strings.HasSuffix(name, "-") {
		name = name[:len(name)-2] + "a"
	}
	return validation.IsDNS1123Subdomain(name)
}

func (r *report) envSource(at *field.Path, source *corev1.EnvVarSource, volumes map[string]*corev1.Volume) {
	if !r.oneSource(at, *source) {
		r.required(at, "one of configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef and fileKeyRef must be set")
	}
	if ref := source.FieldRef; ref != nil {
		r.fieldRef(at.Child("fieldRef"), ref, envFields)
	}
	if ref := source.ResourceFieldRef; ref != nil {
		r.resourceFieldRef(at.Child("resourceFieldRef"), ref)
	}
	if ref := source.ConfigMapKeyRef; ref != nil {
		r.keyRef(at.Child("configMapKeyRef"), ref.Name, ref.Key)
	}
	if ref := source.SecretKeyRef; ref != nil {
		r.keyRef(at.Child("secretKeyRef"), ref.Name, ref.Key)
	}
	if ref := source.FileKeyRef; ref != nil {
		at := at.Child("fileKeyRef")
		r.format(at.Child("key"), ref.Key, validation.IsRelaxedEnvVarName)
		r.notEmpty(at.Child("path"), ref.Path)
		r.noBacksteps(at.Child("path"), ref.Path)
		name := at.Child("volumeName")
		r.format(name, ref.VolumeName, validation.IsDNS1123Label)
		if volume := volumes[ref.VolumeName]; volume == nil {
			r.add(field.NotFound(name, ref.VolumeName))
		} else if volume.EmptyDir == nil && len(sources(volume.VolumeSource)) > 0 {
			r.invalid(name, ref.VolumeName, "must be an emptyDir")
		}
	}
}

func (r *report) keyRef(at *field.Path, name, key string) {
	r.format(at.Child("name"), name, validation.IsDNS1123Subdomain)
	r.format(at.Child("key"), key, validation.IsConfigMapKey)
}

var (
	metadataFields = []string{"metadata.name", "metadata.namespace", "metadata.uid"}
	envFields      = append(slices.Clone(metadataFields), "spec.nodeName", "spec.host", "spec.serviceAccountName",
		"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")
	fileFields = append(slices.Clone(metadataFields), "metadata.labels", "metadata.annotations")
)

// fieldRef checks a field of the pod, such as metadata.labels['app'].
func (r *report) fieldRef(at *field.Path, ref *corev1.ObjectFieldSelector, allowed []string) {
	defaulted(r, at.Child("apiVersion"), ref.APIVersion, "v1")
	at = at.Child("fieldPath")
	base, key, bracket := strings.Cut(ref.FieldPath, "['")
	key, closed := strings.CutSuffix(key, "']")
	switch {
	case bracket && closed && base == "metadata.labels":
		r.format(at, key, validation.IsQualifiedName)
	case bracket && closed && base == "metadata.annotations":
		r.format(at, strings.ToLower(key), validation.IsQualifiedName)
	default:
		oneOf(r, at, ref.FieldPath, allowed...)
	}
}

var (
	resourceFields = []string{
		"limits.cpu", "limits.memory", "limits.ephemeral-storage",
		"requests.cpu", "requests.memory", "requests.ephemeral-storage",
	}
	cpuDivisors  = []string{"1", "1m"}
	byteDivisors = []string{"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"}
)

// resourceFieldRef checks a resource of a container, such as limits.memory.
func (r *report) resourceFieldRef(at *field.Path, ref *corev1.ResourceFieldSelector) {
	_, name, _ := strings.Cut(ref.Resource, ".")
	if !isHugePages(corev1.ResourceName(name)) || ref.Resource != "limits."+name && ref.Resource != "requests."+name {
		oneOf(r, at.Child("resource"), ref.Resource, resourceFields...)
	}
	divisors := byteDivisors
	if name == string(corev1.ResourceCPU) {
		divisors = cpuDivisors
	}
	if ref.Divisor.Cmp(resource.Quantity{}) != 0 {
		oneOf(r, at.Child("divisor"), ref.Divisor.String(), divisors...)
	}
}
