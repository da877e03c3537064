package objectrules

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// container is a container of a pod, and its path.
type container struct {
	*corev1.Container
	at   *field.Path
	init bool
}

// sidecar reports whether the container runs as long as those that are not init.
func (c container) sidecar() bool {
	return c.init && deref(c.RestartPolicy, "") == corev1.ContainerRestartPolicyAlways
}

func allContainers(pod *field.Path, spec *corev1.PodSpec) []container {
	var all []container
	for i := range spec.Containers {
		all = append(all, container{&spec.Containers[i], pod.Child("containers").Index(i), false})
	}
	for i := range spec.InitContainers {
		all = append(all, container{&spec.InitContainers[i], pod.Child("initContainers").Index(i), true})
	}
	return all
}

func (r *report) containers(pod *field.Path, spec *corev1.PodSpec, volumes map[string]*corev1.Volume, claims sets.Set[string]) {
	if len(spec.Containers) == 0 {
		r.required(pod.Child("containers"), "at least one container must be set")
	}
	names, hostPorts := sets.New[string](), sets.New[string]()
	for _, c := range allContainers(pod, spec) {
		r.format(c.at.Child("name"), c.Name, validation.IsDNS1123Label)
		if c.Name != "" && names.Has(c.Name) {
			r.add(field.Duplicate(c.at.Child("name"), c.Name))
		}
		names.Insert(c.Name)
		if c.init { // only those of one init container conflict
			hostPorts = sets.New[string]()
		}
		r.image(c)
		r.ports(c.at.Child("ports"), c.Ports, spec.HostNetwork, hostPorts)
		r.env(c.at, c.Container, volumes)
		r.volumeMounts(c, volumes)
		r.volumeDevices(c, volumes)
		r.containerResources(c.at.Child("resources"), &c.Resources, claims)
		r.containerSecurity(c.at.Child("securityContext"), c.SecurityContext, deref(spec.HostUsers, true))
		r.restart(c)
		r.resize(c)
		if c.init && !c.sidecar() {
			r.noProbes(c)
		} else {
			grace := deref(spec.TerminationGracePeriodSeconds, defaultGracePeriod)
			r.probes(c, grace)
		}
	}
}

func (r *report) image(c container) {
	at := c.at.Child("image")
	r.notEmpty(at, c.Image)
	if strings.TrimSpace(c.Image) != c.Image {
		r.invalid(at, c.Image, "must not begin or end with a space")
	}
	defaulted(r, c.at.Child("imagePullPolicy"), c.ImagePullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
	defaulted(r, c.at.Child("terminationMessagePolicy"), c.TerminationMessagePolicy,
		corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError)
}

// ports adds the ports of the host to hostPorts, and reports those that are in it.
func (r *report) ports(at *field.Path, ports []corev1.ContainerPort, hostNetwork bool, hostPorts sets.Set[string]) {
	names, numbers := sets.New[string](), sets.New[string]()
	for i, port := range ports {
		at := at.Index(i)
		protocol := r.protocol(at, port.Protocol)
		r.optionalFormat(at.Child("name"), port.Name, validation.IsValidPortName)
		if port.Name != "" && names.Has(port.Name) {
			r.add(field.Duplicate(at.Child("name"), port.Name))
		}
		names.Insert(port.Name)

		r.portNumber(at.Child("containerPort"), port.ContainerPort)
		number := fmt.Sprintf("%d/%s", port.ContainerPort, protocol)
		if numbers.Has(number) {
			r.add(field.Duplicate(at.Child("containerPort"), number))
		}
		numbers.Insert(number)

		hostPort := port.HostPort
		if hostPort == 0 && hostNetwork {
			hostPort = port.ContainerPort
		}
		if hostPort == 0 {
			continue
		}
		r.portNumber(at.Child("hostPort"), hostPort)
		if hostNetwork && hostPort != port.ContainerPort {
			r.invalid(at.Child("hostPort"), hostPort, "must be equal to containerPort if hostNetwork is true")
		}
		number = fmt.Sprintf("%s:%d/%s", port.HostIP, hostPort, protocol)
		if hostPorts.Has(number) {
			r.add(field.Duplicate(at.Child("hostPort"), strings.TrimPrefix(number, ":")))
		}
		hostPorts.Insert(number)
	}
}

// protocol returns the protocol of a port, or its default.
func (r *report) protocol(port *field.Path, protocol corev1.Protocol) corev1.Protocol {
	if protocol == "" {
		return corev1.ProtocolTCP
	}
	oneOf(r, port.Child("protocol"), protocol, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
	return protocol
}

func (r *report) portNumber(at *field.Path, port int32) { r.between(at, int64(port), 1, 65535) }

func (r *report) restart(c container) {
	const mostRules, mostCodes = 20, 255
	optional(r, c.at.Child("restartPolicy"), c.RestartPolicy,
		corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure)
	at := c.at.Child("restartPolicyRules")
	n := len(c.RestartPolicyRules)
	if n > 0 && c.RestartPolicy == nil {
		r.required(c.at.Child("restartPolicy"), "restartPolicyRules need it")
	}
	if n > mostRules {
		r.add(field.TooMany(at, n, mostRules))
	}
	for i, rule := range c.RestartPolicyRules {
		at := at.Index(i)
		oneOf(r, at.Child("action"), rule.Action, corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers)
		codes := at.Child("exitCodes")
		if rule.ExitCodes == nil {
			r.required(codes, "")
			continue
		}
		oneOf(r, codes.Child("operator"), rule.ExitCodes.Operator,
			corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn)
		if n := len(rule.ExitCodes.Values); n > mostCodes {
			r.add(field.TooMany(codes.Child("values"), n, mostCodes))
		}
		seen := sets.New[int32]()
		for k, code := range rule.ExitCodes.Values {
			if seen.Has(code) {
				r.add(field.Duplicate(codes.Child("values").Index(k), code))
			}
			seen.Insert(code)
		}
	}
}

func (r *report) resize(c container) {
	seen := sets.New[corev1.ResourceName]()
	for i, policy := range c.ResizePolicy {
		at := c.at.Child("resizePolicy").Index(i)
		if seen.Has(policy.ResourceName) {
			r.add(field.Duplicate(at.Child("resourceName"), policy.ResourceName))
		}
		seen.Insert(policy.ResourceName)
		oneOf(r, at.Child("resourceName"), policy.ResourceName, corev1.ResourceCPU, corev1.ResourceMemory)
		oneOf(r, at.Child("restartPolicy"), policy.RestartPolicy, corev1.NotRequired, corev1.RestartContainer)
		if c.init && !c.sidecar() && policy.RestartPolicy == corev1.RestartContainer {
			r.invalid(at.Child("restartPolicy"), policy.RestartPolicy, "must be NotRequired for an init container, except with restartPolicy Always")
		}
	}
}
