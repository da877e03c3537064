package objectrules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (r *report) service(at *field.Path, spec *corev1.ServiceSpec) {
	defaulted(r, at.Child("type"), spec.Type,
		corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName)
	r.labels(at.Child("selector"), spec.Selector)
	r.servicePorts(at.Child("ports"), spec)
	if spec.Type == corev1.ServiceTypeExternalName {
		r.externalName(at, spec)
	} else {
		r.clusterIPs(at, spec)
	}
	defaulted(r, at.Child("sessionAffinity"), spec.SessionAffinity, corev1.ServiceAffinityNone, corev1.ServiceAffinityClientIP)
	if config := spec.SessionAffinityConfig; spec.SessionAffinity == corev1.ServiceAffinityClientIP && config != nil &&
		config.ClientIP != nil && config.ClientIP.TimeoutSeconds != nil {
		const day = 86400
		r.between(at.Child("sessionAffinityConfig", "clientIP", "timeoutSeconds"), int64(*config.ClientIP.TimeoutSeconds), 1, day)
	}
	optional(r, at.Child("internalTrafficPolicy"), spec.InternalTrafficPolicy,
		corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)
	optional(r, at.Child("trafficDistribution"), spec.TrafficDistribution, corev1.ServiceTrafficDistributionPreferClose,
		corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode)
	r.external(at, spec)
	r.loadBalancer(at, spec)
}

func headless(spec *corev1.ServiceSpec) bool {
	return spec.ClusterIP == corev1.ClusterIPNone || len(spec.ClusterIPs) == 1 && spec.ClusterIPs[0] == corev1.ClusterIPNone
}

func (r *report) servicePorts(at *field.Path, spec *corev1.ServiceSpec) {
	if len(spec.Ports) == 0 && !headless(spec) && spec.Type != corev1.ServiceTypeExternalName {
		r.required(at, "at least one port must be set")
	}
	unique(r, at, "name", spec.Ports, func(p *corev1.ServicePort) string { return p.Name })
	ports, nodePorts := sets.New[string](), sets.New[string]()
	for i, port := range spec.Ports {
		at := at.Index(i)
		protocol := r.protocol(at, port.Protocol)
		if port.Name != "" || len(spec.Ports) > 1 {
			r.format(at.Child("name"), port.Name, validation.IsDNS1123Label)
		}
		r.portNumber(at.Child("port"), port.Port)
		if target := port.TargetPort; target != (intstr.IntOrString{}) && target != intstr.FromString("") {
			r.port(at.Child("targetPort"), target)
		}
		if port.AppProtocol != nil {
			r.format(at.Child("appProtocol"), *port.AppProtocol, validation.IsQualifiedName)
		}
		number := fmt.Sprintf("%d/%s", port.Port, protocol)
		if ports.Has(number) {
			r.add(field.Duplicate(at.Child("port"), number))
		}
		ports.Insert(number)
		if port.NodePort == 0 {
			continue
		}
		if spec.Type == corev1.ServiceTypeClusterIP || spec.Type == "" {
			r.forbidden(at.Child("nodePort"), "must not be set if type is ClusterIP")
		}
		number = fmt.Sprintf("%d/%s", port.NodePort, protocol)
		if nodePorts.Has(number) {
			r.add(field.Duplicate(at.Child("nodePort"), number))
		}
		nodePorts.Insert(number)
	}
}

func (r *report) externalName(at *field.Path, spec *corev1.ServiceSpec) {
	r.format(at.Child("externalName"), strings.TrimSuffix(spec.ExternalName, "."), validation.IsDNS1123Subdomain)
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"clusterIP", spec.ClusterIP != ""},
		{"clusterIPs", len(spec.ClusterIPs) > 0},
		{"ipFamilies", len(spec.IPFamilies) > 0},
		{"ipFamilyPolicy", spec.IPFamilyPolicy != nil},
	} {
		if f.set {
			r.forbidden(at.Child(f.field), "must not be set if type is ExternalName")
		}
	}
}

func (r *report) clusterIPs(at *field.Path, spec *corev1.ServiceSpec) {
	if headless(spec) && (spec.Type == corev1.ServiceTypeNodePort || spec.Type == corev1.ServiceTypeLoadBalancer) {
		r.invalid(at.Child("clusterIP"), spec.ClusterIP, "must not be None if type is %s", spec.Type)
	}
	optional(r, at.Child("ipFamilyPolicy"), spec.IPFamilyPolicy,
		corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack)
	unique(r, at.Child("ipFamilies"), "", spec.IPFamilies, itself)
	for i, family := range spec.IPFamilies {
		oneOf(r, at.Child("ipFamilies").Index(i), family, corev1.IPv4Protocol, corev1.IPv6Protocol)
	}
	ips, name := spec.ClusterIPs, at.Child("clusterIPs")
	nth := name.Index
	if len(ips) == 0 && spec.ClusterIP != "" {
		ips, name = []string{spec.ClusterIP}, at.Child("clusterIP")
		nth = func(int) *field.Path { return name }
	} else if len(ips) > 0 && ips[0] != spec.ClusterIP {
		r.invalid(name, ips, "the first one must be clusterIP, %q", spec.ClusterIP)
	}
	if slices.Contains(ips, corev1.ClusterIPNone) {
		if len(ips) > 1 {
			r.invalid(name, ips, "None must be the only one")
		}
		return
	}
	families := sets.New[bool]()
	for i, ip := range ips {
		before := len(r.errors)
		r.ip(nth(i), ip)
		if len(r.errors) > before {
			return
		}
		families.Insert(netip.MustParseAddr(ip).Is4())
	}
	if len(ips) > len(families) {
		r.invalid(name, ips, "must be at most one IPv4 address and one IPv6 address")
	}
	for i := range min(len(ips), len(spec.IPFamilies)) {
		if is4 := netip.MustParseAddr(ips[i]).Is4(); is4 != (spec.IPFamilies[i] == corev1.IPv4Protocol) {
			r.invalid(nth(i), ips[i], "must be an %s address, as in ipFamilies", spec.IPFamilies[i])
		}
	}
}

func (r *report) external(at *field.Path, spec *corev1.ServiceSpec) {
	for i, ip := range spec.ExternalIPs {
		at := at.Child("externalIPs").Index(i)
		before := len(r.errors)
		r.ip(at, ip)
		if len(r.errors) > before {
			continue
		}
		if a := netip.MustParseAddr(ip); a.IsUnspecified() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() {
			r.invalid(at, ip, "must not be unspecified, a loopback or a link-local address")
		}
	}
	accessible := spec.Type == corev1.ServiceTypeNodePort || spec.Type == corev1.ServiceTypeLoadBalancer ||
		(spec.Type == corev1.ServiceTypeClusterIP || spec.Type == "") && len(spec.ExternalIPs) > 0
	policy := at.Child("externalTrafficPolicy")
	if accessible {
		defaulted(r, policy, spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	} else if spec.ExternalTrafficPolicy != "" {
		r.invalid(policy, spec.ExternalTrafficPolicy, "must not be set if type is not NodePort or LoadBalancer, and externalIPs are empty")
	}
	if health := at.Child("healthCheckNodePort"); spec.HealthCheckNodePort != 0 {
		if spec.Type != corev1.ServiceTypeLoadBalancer || spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
			r.invalid(health, spec.HealthCheckNodePort, "must not be set if type is not LoadBalancer with externalTrafficPolicy Local")
		} else {
			r.portNumber(health, spec.HealthCheckNodePort)
		}
	}
}

func (r *report) loadBalancer(at *field.Path, spec *corev1.ServiceSpec) {
	ranges := at.Child("loadBalancerSourceRanges")
	for i, cidr := range spec.LoadBalancerSourceRanges {
		r.cidr(ranges.Index(i), strings.TrimSpace(cidr))
	}
	r.optionalFormat(at.Child("loadBalancerClass"), deref(spec.LoadBalancerClass, ""), validation.IsQualifiedName)
	if spec.Type == corev1.ServiceTypeLoadBalancer {
		if deref(spec.LoadBalancerClass, "-") == "" {
			r.required(at.Child("loadBalancerClass"), "")
		}
		return
	}
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"loadBalancerSourceRanges", len(spec.LoadBalancerSourceRanges) > 0},
		{"loadBalancerClass", spec.LoadBalancerClass != nil},
		{"allocateLoadBalancerNodePorts", spec.AllocateLoadBalancerNodePorts != nil},
	} {
		if f.set {
			r.forbidden(at.Child(f.field), "must not be set if type is not LoadBalancer")
		}
	}
}
