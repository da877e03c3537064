package objectrules

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (r *report) volumeMounts(c container, volumes map[string]*corev1.Volume) {
	at := c.at.Child("volumeMounts")
	unique(r, at, "mountPath", c.VolumeMounts, func(m *corev1.VolumeMount) string { return m.MountPath })
	for i, mount := range c.VolumeMounts {
		at := at.Index(i)
		r.volumeName(at.Child("name"), mount.Name, volumes)
		r.notEmpty(at.Child("mountPath"), mount.MountPath)
		r.relativePath(at.Child("subPath"), mount.SubPath)
		r.relativePath(at.Child("subPathExpr"), mount.SubPathExpr)
		if mount.SubPath != "" && mount.SubPathExpr != "" {
			r.invalid(at.Child("subPathExpr"), mount.SubPathExpr, "must not be set if subPath is")
		}
		r.mountOptions(at, c, &mount)
	}
}

func (r *report) volumeName(at *field.Path, name string, volumes map[string]*corev1.Volume) {
	switch {
	case name == "":
		r.required(at, "")
	case volumes[name] == nil:
		notFound := field.NotFound(at, name)
		notFound.Detail = "volumes are " + join(sets.List(sets.KeySet(volumes)))
		r.add(notFound)
	}
}

func (r *report) mountOptions(at *field.Path, c container, mount *corev1.VolumeMount) {
	propagation := deref(mount.MountPropagation, corev1.MountPropagationNone)
	optional(r, at.Child("mountPropagation"), mount.MountPropagation,
		corev1.MountPropagationNone, corev1.MountPropagationHostToContainer, corev1.MountPropagationBidirectional)
	privileged := c.SecurityContext != nil && deref(c.SecurityContext.Privileged, false)
	if propagation == corev1.MountPropagationBidirectional && !privileged {
		r.forbidden(at.Child("mountPropagation"), "must not be Bidirectional if the container is not privileged")
	}
	at = at.Child("recursiveReadOnly")
	optional(r, at, mount.RecursiveReadOnly,
		corev1.RecursiveReadOnlyDisabled, corev1.RecursiveReadOnlyIfPossible, corev1.RecursiveReadOnlyEnabled)
	switch deref(mount.RecursiveReadOnly, "") {
	case corev1.RecursiveReadOnlyIfPossible, corev1.RecursiveReadOnlyEnabled:
		if !mount.ReadOnly {
			r.forbidden(at, "must not be set if readOnly is not true")
		}
		if propagation != corev1.MountPropagationNone {
			r.forbidden(at, "must not be set if mountPropagation is not None")
		}
	}
}

func (r *report) volumeDevices(c container, volumes map[string]*corev1.Volume) {
	at := c.at.Child("volumeDevices")
	unique(r, at, "name", c.VolumeDevices, func(d *corev1.VolumeDevice) string { return d.Name })
	unique(r, at, "devicePath", c.VolumeDevices, func(d *corev1.VolumeDevice) string { return d.DevicePath })
	for i, device := range c.VolumeDevices {
		at := at.Index(i)
		r.volumeName(at.Child("name"), device.Name, volumes)
		if v := volumes[device.Name]; v != nil && v.PersistentVolumeClaim == nil && v.Ephemeral == nil {
			r.invalid(at.Child("name"), device.Name, "must be a persistentVolumeClaim or an ephemeral volume")
		}
		r.notEmpty(at.Child("devicePath"), device.DevicePath)
		r.noBacksteps(at.Child("devicePath"), device.DevicePath)
		for _, mount := range c.VolumeMounts {
			if mount.Name == device.Name {
				r.invalid(at.Child("name"), device.Name, "must not be in volumeMounts, too")
			}
			if mount.MountPath == device.DevicePath {
				r.invalid(at.Child("devicePath"), device.DevicePath, "must not be the mountPath of a volume, too")
			}
		}
	}
}
