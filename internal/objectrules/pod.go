package objectrules

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// pod checks the spec of a pod that has podLabels.
func (r *report) pod(at *field.Path, spec *corev1.PodSpec, podLabels map[string]string) {
	for _, name := range []struct {
		field, value string
		check        func(string) []string
	}{
		{"serviceAccountName", spec.ServiceAccountName, validation.IsDNS1123Subdomain},
		{"serviceAccount", deprecatedServiceAccount(spec), validation.IsDNS1123Subdomain},
		{"priorityClassName", spec.PriorityClassName, validation.IsDNS1123Subdomain},
		{"nodeName", spec.NodeName, validation.IsDNS1123Subdomain},
		{"hostname", spec.Hostname, validation.IsDNS1123Label},
		{"subdomain", spec.Subdomain, validation.IsDNS1123Label},
	} {
		r.optionalFormat(at.Child(name.field), name.value, name.check)
	}
	if spec.RuntimeClassName != nil {
		r.format(at.Child("runtimeClassName"), *spec.RuntimeClassName, validation.IsDNS1123Subdomain)
	}
	optional(r, at.Child("preemptionPolicy"), spec.PreemptionPolicy, corev1.PreemptLowerPriority, corev1.PreemptNever)
	if spec.OS != nil {
		oneOf(r, at.Child("os", "name"), spec.OS.Name, corev1.Linux, corev1.Windows)
	}
	r.hostNamespaces(at, spec)
	r.hostnameOverride(at.Child("hostnameOverride"), spec)
	r.dns(at, spec)
	r.labels(at.Child("nodeSelector"), spec.NodeSelector)
	r.podSecurity(at.Child("securityContext"), spec)
	r.resources(at.Child("overhead"), at.Child("overhead"), &corev1.ResourceRequirements{Limits: spec.Overhead}, isContainerResource)
	if spec.Resources != nil {
		r.podResources(at.Child("resources"), spec)
	}
	r.scheduling(at, spec, podLabels)
	r.podLists(at, spec)

	volumes := r.volumes(at.Child("volumes"), spec.Volumes)
	r.containers(at, spec, volumes, r.resourceClaims(at.Child("resourceClaims"), spec.ResourceClaims))
}

// deprecatedServiceAccount returns the name that applies if serviceAccountName is empty.
func deprecatedServiceAccount(spec *corev1.PodSpec) string {
	if spec.ServiceAccountName != "" {
		return ""
	}
	return spec.DeprecatedServiceAccount
}

func (r *report) hostNamespaces(at *field.Path, spec *corev1.PodSpec) {
	if spec.HostPID && deref(spec.ShareProcessNamespace, false) {
		r.invalid(at.Child("shareProcessNamespace"), true, "must not be true if hostPID is true")
	}
	if deref(spec.HostUsers, true) {
		return
	}
	for _, host := range []struct {
		field string
		value bool
	}{{"hostNetwork", spec.HostNetwork}, {"hostPID", spec.HostPID}, {"hostIPC", spec.HostIPC}} {
		if host.value {
			r.forbidden(at.Child(host.field), "must not be true if hostUsers is false")
		}
	}
	for _, c := range allContainers(at, spec) {
		if len(c.VolumeDevices) > 0 {
			r.forbidden(c.at.Child("volumeDevices"), "must not be set if hostUsers is false")
		}
	}
}

func (r *report) hostnameOverride(at *field.Path, spec *corev1.PodSpec) {
	if spec.HostnameOverride == nil {
		return
	}
	const longest = 64
	if len(*spec.HostnameOverride) > longest {
		r.add(field.TooLong(at, *spec.HostnameOverride, longest))
	}
	r.format(at, *spec.HostnameOverride, validation.IsDNS1123Subdomain)
	if deref(spec.SetHostnameAsFQDN, false) {
		r.forbidden(at, "must not be set if setHostnameAsFQDN is true")
	}
	if spec.HostNetwork {
		r.forbidden(at, "must not be set if hostNetwork is true")
	}
}

func (r *report) dns(at *field.Path, spec *corev1.PodSpec) {
	const mostNameservers, mostSearches, mostSearchCharacters = 3, 32, 2048
	defaulted(r, at.Child("dnsPolicy"), spec.DNSPolicy,
		corev1.DNSClusterFirst, corev1.DNSClusterFirstWithHostNet, corev1.DNSDefault, corev1.DNSNone)
	at = at.Child("dnsConfig")
	nameservers := at.Child("nameservers")
	config := spec.DNSConfig
	if config == nil {
		config = &corev1.PodDNSConfig{}
	}
	if spec.DNSPolicy == corev1.DNSNone && len(config.Nameservers) == 0 {
		r.required(nameservers, "dnsPolicy None needs a nameserver")
	}
	if n := len(config.Nameservers); n > mostNameservers {
		r.add(field.TooMany(nameservers, n, mostNameservers))
	}
	for i, server := range config.Nameservers {
		r.ip(nameservers.Index(i), server)
	}
	searches := at.Child("searches")
	if n := len(config.Searches); n > mostSearches {
		r.add(field.TooMany(searches, n, mostSearches))
	}
	if n := len(strings.Join(config.Searches, " ")); n > mostSearchCharacters {
		r.invalid(searches, n, "must have at most %d characters, with a space between the domains", mostSearchCharacters)
	}
	for i, search := range config.Searches {
		if search != "." {
			r.format(searches.Index(i), strings.TrimSuffix(search, "."), validation.IsDNS1123SubdomainWithUnderscore)
		}
	}
	for i, option := range config.Options {
		r.notEmpty(at.Child("options").Index(i).Child("name"), option.Name)
	}
}

func (r *report) ip(at *field.Path, value string) {
	r.add(validation.IsValidIPForLegacyField(at, value, true, nil)...)
}

func (r *report) cidr(at *field.Path, value string) {
	r.add(validation.IsValidCIDRForLegacyField(at, value, true, nil)...)
}

// podLists checks the lists of the pod that are short.
func (r *report) podLists(at *field.Path, spec *corev1.PodSpec) {
	secrets, nameless := at.Child("imagePullSecrets"), false
	unique(r, secrets, "name", spec.ImagePullSecrets, func(s *corev1.LocalObjectReference) string { return s.Name })
	for i, secret := range spec.ImagePullSecrets {
		if secret.Name == "" && nameless { // Kubernetes accepts one
			r.required(secrets.Index(i).Child("name"), "")
		}
		nameless = nameless || secret.Name == ""
	}

	aliases := at.Child("hostAliases")
	unique(r, aliases, "ip", spec.HostAliases, func(a *corev1.HostAlias) string { return a.IP })
	for i, alias := range spec.HostAliases {
		r.ip(aliases.Index(i).Child("ip"), alias.IP)
		for k, name := range alias.Hostnames {
			r.format(aliases.Index(i).Child("hostnames").Index(k), name, validation.IsDNS1123Subdomain)
		}
	}
	for i, gate := range spec.ReadinessGates {
		r.format(at.Child("readinessGates").Index(i).Child("conditionType"), string(gate.ConditionType), validation.IsQualifiedName)
	}
	gates := at.Child("schedulingGates")
	unique(r, gates, "name", spec.SchedulingGates, func(g *corev1.PodSchedulingGate) string { return g.Name })
	for i, gate := range spec.SchedulingGates {
		r.format(gates.Index(i).Child("name"), gate.Name, validation.IsQualifiedName)
	}
	if spec.NodeName != "" && len(spec.SchedulingGates) > 0 {
		r.forbidden(at.Child("nodeName"), "must not be set if schedulingGates are")
	}
}

// resourceClaims returns the names of the claims.
func (r *report) resourceClaims(at *field.Path, claims []corev1.PodResourceClaim) sets.Set[string] {
	names := sets.New[string]()
	unique(r, at, "name", claims, func(c *corev1.PodResourceClaim) string { return c.Name })
	for i, claim := range claims {
		at := at.Index(i)
		names.Insert(claim.Name)
		r.format(at.Child("name"), claim.Name, validation.IsDNS1123Label)
		if !r.oneSource(at, claim) {
			r.required(at, "resourceClaimName or resourceClaimTemplateName must be set")
		}
		if claim.ResourceClaimName != nil {
			r.format(at.Child("resourceClaimName"), *claim.ResourceClaimName, validation.IsDNS1123Subdomain)
		}
		if claim.ResourceClaimTemplateName != nil {
			r.format(at.Child("resourceClaimTemplateName"), *claim.ResourceClaimTemplateName, validation.IsDNS1123Subdomain)
		}
	}
	return names
}
