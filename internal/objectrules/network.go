package objectrules

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (r *report) networkPolicy(at *field.Path, spec *networkingv1.NetworkPolicySpec) {
	r.selector(at.Child("podSelector"), &spec.PodSelector)
	const most = 2
	if n := len(spec.PolicyTypes); n > most {
		r.add(field.TooMany(at.Child("policyTypes"), n, most))
	}
	for i, policy := range spec.PolicyTypes {
		oneOf(r, at.Child("policyTypes").Index(i), policy, networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)
	}
	for i, rule := range spec.Ingress {
		r.networkRule(at.Child("ingress").Index(i), "from", rule.Ports, rule.From)
	}
	for i, rule := range spec.Egress {
		r.networkRule(at.Child("egress").Index(i), "to", rule.Ports, rule.To)
	}
}

func (r *report) networkRule(at *field.Path, peersField string, ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer) {
	for i, port := range ports {
		at := at.Child("ports").Index(i)
		optional(r, at.Child("protocol"), port.Protocol, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
		if port.Port != nil {
			r.port(at.Child("port"), *port.Port)
		}
		if port.EndPort == nil {
			continue
		}
		end := at.Child("endPort")
		if port.Port == nil || port.Port.Type != intstr.Int {
			r.invalid(end, *port.EndPort, "must not be set if port is not a number")
		} else {
			r.portNumber(end, *port.EndPort)
			if *port.EndPort < port.Port.IntVal {
				r.invalid(end, *port.EndPort, "must be at least port, %d", port.Port.IntVal)
			}
		}
	}
	for i, peer := range peers {
		at := at.Child(peersField).Index(i)
		r.selector(at.Child("podSelector"), peer.PodSelector)
		r.selector(at.Child("namespaceSelector"), peer.NamespaceSelector)
		switch {
		case peer.IPBlock == nil:
			if peer.PodSelector == nil && peer.NamespaceSelector == nil {
				r.required(at, "one of podSelector, namespaceSelector and ipBlock must be set")
			}
			continue
		case peer.PodSelector != nil || peer.NamespaceSelector != nil:
			r.forbidden(at.Child("ipBlock"), "must not be set besides podSelector or namespaceSelector")
		}
		r.ipBlock(at.Child("ipBlock"), peer.IPBlock)
	}
}

func (r *report) ipBlock(at *field.Path, block *networkingv1.IPBlock) {
	if block.CIDR == "" {
		r.required(at.Child("cidr"), "")
		return
	}
	r.cidr(at.Child("cidr"), block.CIDR)
	all, err := netip.ParsePrefix(block.CIDR)
	for i, except := range block.Except {
		at := at.Child("except").Index(i)
		r.cidr(at, except)
		part, partErr := netip.ParsePrefix(except)
		if err == nil && partErr == nil && (!all.Contains(part.Addr()) || part.Bits() <= all.Bits()) {
			r.invalid(at, except, "must be in cidr, %s, and smaller", all)
		}
	}
}
