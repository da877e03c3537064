package doctor

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// monitor is what the doctor reads of a PodMonitor.
type monitor struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector            metav1.LabelSelector `json:"selector"`
		PodMetricsEndpoints []struct {
			Port       string `json:"port"`
			PortNumber int32  `json:"portNumber"`
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

// port returns the number of the port of a pod that Prometheus scrapes, and 0 if the pod does
// not have it.
func (m *monitor) port(pod corev1.Pod) int32 {
	if len(m.Spec.PodMetricsEndpoints) == 0 {
		return 0
	}
	endpoint := m.Spec.PodMetricsEndpoints[0]
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if endpoint.PortNumber == port.ContainerPort || endpoint.Port != "" && endpoint.Port == port.Name {
				return port.ContainerPort
			}
		}
	}
	return endpoint.PortNumber // a pod need not declare a port
}

// portName returns the port as the PodMonitor has it.
func (m *monitor) portName() string {
	if len(m.Spec.PodMetricsEndpoints) == 0 {
		return ""
	}
	endpoint := m.Spec.PodMetricsEndpoints[0]
	return cmp.Or(endpoint.Port, strconv.Itoa(int(endpoint.PortNumber)))
}

func (p *path) checkPodMonitor(ctx context.Context) error {
	if err := p.needs(operatorKinds); err != nil {
		return err
	}
	if len(p.pods) == 0 {
		return errUnknown
	}
	var list struct {
		Items []monitor `json:"items"`
	}
	if err := p.client.list(ctx, monitoringAPI, p.Namespace, "podmonitors", "", &list); err != nil {
		return unreadable(err)
	}
	for _, m := range list.Items {
		if p.ofLease(m.Labels) && matches(&m.Spec.Selector, p.pods[0].Labels) {
			p.monitors = append(p.monitors, m)
		}
	}
	if len(p.monitors) == 0 {
		return find(noPodMonitor, p.fields())
	}
	for _, m := range p.monitors {
		if m.port(p.pods[0]) == 0 {
			return find(noMetricsPort, p.fields("name", m.Name, "port", m.portName()))
		}
	}
	return nil
}

// checkSelected finds the Prometheus that selects a PodMonitor of the lease.
func (p *path) checkSelected(ctx context.Context) error {
	if len(p.prometheuses) == 0 || len(p.monitors) == 0 {
		return errUnknown
	}
	namespace, err := p.namespace(ctx)
	if err != nil {
		return err
	}
	var byLabels *prometheus
	for i := range p.prometheuses {
		candidate := &p.prometheuses[i]
		s := candidate.podMonitors()
		for j := range p.monitors {
			if !matches(s.objects, p.monitors[j].Labels) {
				continue
			}
			byLabels = candidate
			if candidate.selectsNamespace(s, namespace) {
				p.monitor, p.prometheus = &p.monitors[j], candidate
				p.service = p.Doctor.service(ctx, candidate)
				return nil
			}
		}
	}
	if byLabels != nil {
		return findNamespace(podMonitorNamespace, p.fields(), byLabels.podMonitors(), byLabels, namespace)
	}
	other := &p.prometheuses[0]
	return find(podMonitorLabels, p.fields("name", p.monitors[0].Name, "wanted", describe(other.Spec.PodMonitorSelector, "it is absent, and selects nothing"),
		"prometheus", other.Name, "prometheusNamespace", other.Namespace))
}

// namespace returns the namespace of the lease.
func (p *path) namespace(ctx context.Context) (*corev1.Namespace, error) {
	namespace, err := p.client.namespace(ctx, p.Namespace)
	return namespace, unreadable(err)
}

func (c client) namespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	namespace := new(corev1.Namespace)
	err := c.get(ctx, "/api/v1/namespaces/"+name, nil, namespace)
	namespace.Name = name
	return namespace, err
}

// findNamespace returns a finding that a Prometheus does not read a namespace.
func findNamespace(code string, f fields, s selector, p *prometheus, namespace *corev1.Namespace) error {
	f["wanted"] = describe(s.namespaces, "it is absent: only namespace "+p.Namespace)
	f["labels"] = missingLabels(s.namespaces, namespace.Labels)
	f["prometheus"], f["prometheusNamespace"] = p.Name, p.Namespace
	return find(code, f)
}

func (p *path) checkPrometheus(context.Context) error {
	if p.prometheus == nil {
		return errUnknown
	}
	return p.prometheus.available()
}

// target is a target of Prometheus.
type target struct {
	Labels     map[string]string `json:"labels"`
	ScrapePool string            `json:"scrapePool"`
	Health     string            `json:"health"`
	LastError  string            `json:"lastError"`
}

// checkTargets checks that Prometheus scrapes each pod. If it does not, the step calls Triton
// itself, to distinguish a Triton without metrics from a blocked scrape.
func (p *path) checkTargets(ctx context.Context) error {
	if p.service == nil || p.monitor == nil {
		return errUnknown
	}
	if p.prometheus.Spec.Shards > 1 && p.options.Prometheus == nil {
		p.service = nil // each shard has a part of the targets
		return &skipped{"Prometheus " + p.prometheus.String() + " has shards: name an API that reads all of them with --prometheus"}
	}
	pool := "podMonitor/" + p.Namespace + "/" + p.monitor.Name + "/0"
	var answer struct {
		ActiveTargets []target `json:"activeTargets"`
	}
	if err := p.query(ctx, p.service, "targets", url.Values{"state": {"active"}, "scrapePool": {pool}}, &answer); err != nil {
		p.service = unlessSkipped(p.service, err)
		return err
	}
	found := false
	for _, t := range answer.ActiveTargets {
		i := slices.IndexFunc(p.pods, func(pod corev1.Pod) bool { return pod.Name == t.Labels["pod"] })
		if i < 0 || t.ScrapePool != pool {
			continue
		}
		found = true
		if t.Health == "down" {
			return p.checkEndpoint(ctx, p.pods[i], t.LastError)
		}
	}
	if found {
		return nil
	}
	if reason, err := p.rejection(ctx, "PodMonitor", p.monitor.Name); err != nil || reason != "" {
		return findUnless(err, podMonitorRejected, p.fields("name", p.monitor.Name, "reason", reason))
	}
	return find(podMonitorNotLoaded, p.fields("name", p.monitor.Name))
}

// unlessSkipped returns nil if err is a *skipped: the next steps would be skipped, too.
func unlessSkipped(service *Service, err error) *Service {
	var skip *skipped
	if errors.As(err, &skip) {
		return nil
	}
	return service
}

func findUnless(err error, code string, f fields) error {
	if err != nil {
		return err
	}
	return find(code, f)
}

// checkEndpoint returns a finding about a pod that Prometheus cannot scrape.
func (p *path) checkEndpoint(ctx context.Context, pod corev1.Pod, reason string) error {
	port := strconv.Itoa(int(p.monitor.port(pod)))
	f := p.fields("pod", pod.Name, "port", port, "reason", reason)
	var metrics string
	err := p.client.get(ctx, "/api/v1/namespaces/"+p.Namespace+"/pods/"+pod.Name+":"+port+"/proxy/metrics", nil, &metrics)
	if err == nil && strings.Contains(metrics, "nv_inference_") {
		return find(scrapeFails, f)
	}
	return find(tritonDoesNotRespond, f)
}

// rejection returns the message of the event with which the operator rejects an object, or "".
func (p *path) rejection(ctx context.Context, kind, name string) (string, error) {
	var list corev1.EventList
	query := url.Values{"fieldSelector": {"reason=InvalidConfiguration,involvedObject.kind=" + kind + ",involvedObject.name=" + name}}
	if err := p.client.get(ctx, "/api/v1/namespaces/"+p.Namespace+"/events", query, &list); err != nil {
		return "", unreadable(err)
	}
	for _, event := range list.Items {
		if event.InvolvedObject.Kind == kind && event.InvolvedObject.Name == name {
			return event.Message, nil
		}
	}
	return "", nil
}
