package objectrules

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var sysctlName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// hostSysctls are the sysctls that a pod must not set if it is in a namespace of the host.
var hostSysctls = []struct {
	field  string
	names  *regexp.Regexp
	isHost func(*corev1.PodSpec) bool
}{
	{"hostNetwork", regexp.MustCompile(`^net\.`), func(s *corev1.PodSpec) bool { return s.HostNetwork }},
	{
		"hostIPC", regexp.MustCompile(`^(fs\.mqueue\.|kernel\.(sem|shm(all|max|mni|_rmid_forced)?|msg(max|mnb|mni)?)$)`),
		func(s *corev1.PodSpec) bool { return s.HostIPC },
	},
}

func (r *report) podSecurity(at *field.Path, spec *corev1.PodSpec) {
	context := spec.SecurityContext
	if context == nil {
		return
	}
	r.id(at.Child("runAsUser"), context.RunAsUser, validation.IsValidUserID)
	r.id(at.Child("runAsGroup"), context.RunAsGroup, validation.IsValidGroupID)
	r.id(at.Child("fsGroup"), context.FSGroup, validation.IsValidGroupID)
	for i := range context.SupplementalGroups {
		r.id(at.Child("supplementalGroups").Index(i), &context.SupplementalGroups[i], validation.IsValidGroupID)
	}
	optional(r, at.Child("fsGroupChangePolicy"), context.FSGroupChangePolicy, corev1.FSGroupChangeOnRootMismatch, corev1.FSGroupChangeAlways)
	optional(r, at.Child("supplementalGroupsPolicy"), context.SupplementalGroupsPolicy,
		corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict)
	optional(r, at.Child("seLinuxChangePolicy"), context.SELinuxChangePolicy,
		corev1.SELinuxChangePolicyRecursive, corev1.SELinuxChangePolicyMountOption)
	r.profiles(at, context.SeccompProfile, context.AppArmorProfile)
	r.sysctls(at.Child("sysctls"), context.Sysctls, spec)
}

func (r *report) sysctls(at *field.Path, sysctls []corev1.Sysctl, spec *corev1.PodSpec) {
	unique(r, at, "name", sysctls, func(s *corev1.Sysctl) string { return s.Name })
	for i, sysctl := range sysctls {
		at := at.Index(i).Child("name")
		const longest = 253
		switch {
		case sysctl.Name == "":
			r.required(at, "")
		case len(sysctl.Name) > longest || !sysctlName.MatchString(sysctl.Name):
			r.invalid(at, sysctl.Name, "must be a name such as net.core.somaxconn, with at most %d characters", longest)
		}
		for _, host := range hostSysctls {
			if host.isHost(spec) && host.names.MatchString(sysctlWithDots(sysctl.Name)) {
				r.invalid(at, sysctl.Name, "must not be set if %s is true", host.field)
			}
		}
	}
}

// sysctlWithDots returns the form net.ipv4.x of a name that may be net/ipv4/x.
func sysctlWithDots(name string) string {
	if i := strings.IndexAny(name, "./"); i < 0 || name[i] == '.' {
		return name
	}
	return strings.NewReplacer("/", ".", ".", "/").Replace(name)
}

// profiles checks what pods and containers have in common.
func (r *report) profiles(at *field.Path, seccomp *corev1.SeccompProfile, appArmor *corev1.AppArmorProfile) {
	if seccomp != nil {
		at := at.Child("seccompProfile")
		oneOf(r, at.Child("type"), seccomp.Type,
			corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined, corev1.SeccompProfileTypeLocalhost)
		local := seccomp.Type == corev1.SeccompProfileTypeLocalhost
		if r.localhostProfile(at, seccomp.LocalhostProfile, local) {
			r.relativePath(at.Child("localhostProfile"), *seccomp.LocalhostProfile)
		}
	}
	if appArmor != nil {
		at := at.Child("appArmorProfile")
		oneOf(r, at.Child("type"), appArmor.Type,
			corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined, corev1.AppArmorProfileTypeLocalhost)
		local := appArmor.Type == corev1.AppArmorProfileTypeLocalhost
		if r.localhostProfile(at, appArmor.LocalhostProfile, local) {
			const longest = 4095
			at, name := at.Child("localhostProfile"), *appArmor.LocalhostProfile
			r.notEmpty(at, name)
			if strings.TrimSpace(name) != name {
				r.invalid(at, name, "must not begin or end with a space")
			}
			if len(name) > longest {
				r.add(field.TooLong(at, name, longest))
			}
		}
	}
}

// localhostProfile reports whether there is a profile to check.
func (r *report) localhostProfile(at *field.Path, profile *string, local bool) bool {
	switch at := at.Child("localhostProfile"); {
	case local && profile == nil:
		r.required(at, "type Localhost needs it")
	case !local && profile != nil:
		r.invalid(at, *profile, "must not be set if type is not Localhost")
	}
	return local && profile != nil
}

func (r *report) containerSecurity(at *field.Path, context *corev1.SecurityContext, hostUsers bool) {
	if context == nil {
		return
	}
	r.id(at.Child("runAsUser"), context.RunAsUser, validation.IsValidUserID)
	r.id(at.Child("runAsGroup"), context.RunAsGroup, validation.IsValidGroupID)
	r.profiles(at, context.SeccompProfile, context.AppArmorProfile)
	optional(r, at.Child("procMount"), context.ProcMount, corev1.DefaultProcMount, corev1.UnmaskedProcMount)
	if hostUsers && deref(context.ProcMount, "") == corev1.UnmaskedProcMount {
		r.invalid(at.Child("procMount"), *context.ProcMount, "must not be Unmasked if hostUsers of the pod is not false")
	}
	if deref(context.AllowPrivilegeEscalation, true) {
		return
	}
	at = at.Child("allowPrivilegeEscalation")
	if deref(context.Privileged, false) {
		r.invalid(at, false, "must not be false if privileged is true")
	}
	if context.Capabilities != nil && slices.Contains(context.Capabilities.Add, "CAP_SYS_ADMIN") {
		r.invalid(at, false, "must not be false if capabilities.add has CAP_SYS_ADMIN")
	}
}
