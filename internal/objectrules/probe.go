package objectrules

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// noProbes refuses what an init container has only with restartPolicy Always.
func (r *report) noProbes(c container) {
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"lifecycle", c.Lifecycle != nil},
		{"livenessProbe", c.LivenessProbe != nil},
		{"readinessProbe", c.ReadinessProbe != nil},
		{"startupProbe", c.StartupProbe != nil},
	} {
		if f.set {
			r.forbidden(c.at.Child(f.field), "must not be set for an init container, except with restartPolicy Always")
		}
	}
}

// probes checks the probes and the lifecycle of a container. The pod has grace seconds to
// end.
func (r *report) probes(c container, grace int64) {
	r.probe(c.at.Child("livenessProbe"), c.LivenessProbe, false)
	r.probe(c.at.Child("readinessProbe"), c.ReadinessProbe, true)
	r.probe(c.at.Child("startupProbe"), c.StartupProbe, false)
	if c.Lifecycle != nil {
		r.lifecycle(c.at.Child("lifecycle", "postStart"), c.Lifecycle.PostStart, grace)
		r.lifecycle(c.at.Child("lifecycle", "preStop"), c.Lifecycle.PreStop, grace)
	}
}

func (r *report) probe(at *field.Path, probe *corev1.Probe, readiness bool) {
	if probe == nil {
		return
	}
	if !r.oneSource(at, probe.ProbeHandler) {
		r.required(at, "one of exec, httpGet, tcpSocket and grpc must be set")
	}
	r.handler(at, &corev1.LifecycleHandler{Exec: probe.Exec, HTTPGet: probe.HTTPGet, TCPSocket: probe.TCPSocket})
	if probe.GRPC != nil {
		r.portNumber(at.Child("grpc", "port"), probe.GRPC.Port)
	}
	for _, number := range []struct {
		field string
		value int32
	}{
		{"initialDelaySeconds", probe.InitialDelaySeconds},
		{"timeoutSeconds", probe.TimeoutSeconds},
		{"periodSeconds", probe.PeriodSeconds},
		{"successThreshold", probe.SuccessThreshold},
		{"failureThreshold", probe.FailureThreshold},
	} {
		r.atLeast(at.Child(number.field), int64(number.value), 0)
	}
	if !readiness && probe.SuccessThreshold > 1 {
		r.invalid(at.Child("successThreshold"), probe.SuccessThreshold, "must be 1")
	}
	if probe.TerminationGracePeriodSeconds != nil {
		at, seconds := at.Child("terminationGracePeriodSeconds"), *probe.TerminationGracePeriodSeconds
		r.atLeast(at, seconds, 1)
		if readiness {
			r.invalid(at, seconds, "must not be set for a readiness probe")
		}
	}
}

func (r *report) lifecycle(at *field.Path, handler *corev1.LifecycleHandler, grace int64) {
	if handler == nil {
		return
	}
	if !r.oneSource(at, *handler) {
		r.required(at, "one of exec, httpGet, tcpSocket and sleep must be set")
	}
	r.handler(at, handler)
	if handler.Sleep != nil && (handler.Sleep.Seconds < 0 || handler.Sleep.Seconds > grace) {
		r.invalid(at.Child("sleep", "seconds"), handler.Sleep.Seconds,
			"must be between 0 and the pod's terminationGracePeriodSeconds, which is %d", grace)
	}
}

// handler checks what probes and the lifecycle have in common.
func (r *report) handler(at *field.Path, handler *corev1.LifecycleHandler) {
	if handler.Exec != nil && len(handler.Exec.Command) == 0 {
		r.required(at.Child("exec", "command"), "")
	}
	if handler.TCPSocket != nil {
		r.port(at.Child("tcpSocket", "port"), handler.TCPSocket.Port)
	}
	if get := handler.HTTPGet; get != nil {
		at := at.Child("httpGet")
		r.port(at.Child("port"), get.Port)
		defaulted(r, at.Child("scheme"), get.Scheme, corev1.URISchemeHTTP, corev1.URISchemeHTTPS)
		for i, header := range get.HTTPHeaders {
			r.format(at.Child("httpHeaders").Index(i).Child("name"), header.Name, validation.IsHTTPHeaderName)
		}
	}
}

// port checks the number or the name of a port. Kubernetes accepts the name of a port
// that the container does not have.
func (r *report) port(at *field.Path, port intstr.IntOrString) {
	if port.Type == intstr.String {
		r.format(at, port.StrVal, validation.IsValidPortName)
	} else {
		r.portNumber(at, port.IntVal)
	}
}
