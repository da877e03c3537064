package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/triton-leases/tms/api/v1alpha1"
)

// path is the state of the checks of one lease.
type path struct {
	*Doctor
	Namespace, Lease string
	scaler           *autoscalingv2.HorizontalPodAutoscaler // nil if it does not exist
	lease            *v1alpha1.TritonLease                  // nil for a lease in the values
	// KEDA creates scaler from scaledObject, and tms-server creates it from schedule. Each is
	// nil if there is none.
	scaledObject *scaledObject
	schedule     *schedule

	// selector selects the pods, and is empty if it is unknown.
	selector string
	// wanted is the number of replicas of the workload.
	wanted int32
	// pods are the pods that are ready.
	pods []corev1.Pod
	// monitors are the PodMonitors of the lease that select its pods, and monitor the one
	// that prometheus selects. They are nil if they are unknown.
	monitors   []monitor
	monitor    *monitor
	prometheus *prometheus
	// service is the API of prometheus, and nil if it is unknown.
	service *Service
}

// steps returns the checks in the order of the path of a metric.
func (p *path) steps() []step {
	steps := []step{
		{"tms-server is available", p.checkServer},
		{"the lease is granted", p.checkGranted},
		{"the lease has a HorizontalPodAutoscaler", p.checkScaler},
		{"the workload exists", p.checkTarget},
		{"a pod is ready", p.checkPods},
	}
	if p.scaler == nil {
		return steps
	}
	if slices.ContainsFunc(p.scaler.Spec.Metrics, isRecorded) {
		steps = append(steps,
			step{"a PodMonitor selects the pods", p.checkPodMonitor},
			step{"a Prometheus selects the PodMonitor", p.checkSelected},
			step{"Prometheus is available", p.checkPrometheus},
			step{"Prometheus scrapes the pods", p.checkTargets},
		)
	}
	for _, metric := range p.scaler.Spec.Metrics {
		switch {
		case metric.Pods != nil:
			r := &recorded{path: p, series: metric.Pods.Metric.Name}
			steps = append(append(steps, r.prometheusSteps()...), r.adapterSteps()...)
		case metric.External != nil && p.scaledObject != nil:
			if series := p.scaledObject.series(metric.External.Metric.Name); series != "" {
				steps = append(steps, (&recorded{path: p, series: series}).prometheusSteps()...)
			}
		case metric.ContainerResource != nil:
			steps = append(steps, p.cpuSteps(metric.ContainerResource.Container)...)
		}
	}
	if p.scaledObject != nil || readsFromKEDA(p.scaler) {
		steps = append(steps, p.kedaSteps()...)
	}
	return append(steps, p.scalerSteps()...)
}

// isRecorded reports whether a metric is a series that Prometheus records.
func isRecorded(metric autoscalingv2.MetricSpec) bool {
	return metric.Pods != nil || metric.External != nil
}

// fields returns the fields of all messages about the lease, and more.
func (p *path) fields(more ...string) fields {
	f := fields{"namespace": p.Namespace, "lease": p.Lease, "selector": p.selector}
	if p.scaler != nil {
		f["name"], f["kind"], f["target"] = p.scaler.Name, p.scaler.Spec.ScaleTargetRef.Kind, p.scaler.Spec.ScaleTargetRef.Name
	}
	if p.prometheus != nil {
		f["prometheusNamespace"], f["prometheus"] = p.prometheus.Namespace, p.prometheus.Name
	}
	if p.service != nil {
		f["path"] = p.service.path()
	}
	if len(p.pods) > 0 {
		f["pod"] = p.pods[0].Name
	}
	if p.monitor != nil && len(p.pods) > 0 {
		f["port"] = strconv.Itoa(int(p.monitor.port(p.pods[0])))
	}
	maps.Copy(f, fieldsOf(more))
	return f
}

// fieldsOf returns the fields of pairs of a name and a value.
func fieldsOf(pairs []string) fields {
	f := fields{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f[pairs[i]] = pairs[i+1]
	}
	return f
}

// checkServer checks the tms-server that reconciles a TritonLease or a schedule.
func (p *path) checkServer(ctx context.Context) error {
	var namespace, release string
	switch {
	case p.lease != nil:
		namespace, release, _ = strings.Cut(p.lease.Status.Installation, "/")
	case p.schedule != nil:
		namespace, release = p.Namespace, p.schedule.Labels[instanceLabel]
	}
	if release == "" {
		return errUnknown
	}
	var list struct {
		Items []deployment `json:"items"`
	}
	if err := p.client.list(ctx, "/apis/apps/v1", namespace, "deployments", componentLabel+"=server,"+instanceLabel+"="+release, &list); err != nil {
		return unreadable(err)
	}
	for _, found := range list.Items {
		if found.Status.AvailableReplicas == 0 {
			return find(serverDown, fields{"namespace": namespace, "name": found.Name})
		}
	}
	return nil
}

func (p *path) checkGranted(context.Context) error {
	if p.lease == nil {
		return errUnknown
	}
	granted := meta.FindStatusCondition(p.lease.Status.Conditions, v1alpha1.ConditionGranted)
	switch {
	case granted == nil:
		return find(leaseRefused, p.fields("reason", "tms-server has not seen it"))
	case granted.Status != metav1.ConditionTrue:
		return find(leaseRefused, p.fields("reason", granted.Message))
	}
	return nil
}

func (p *path) checkScaler(context.Context) error {
	switch {
	case p.scaler != nil:
		return nil
	case p.scaledObject != nil:
		return p.findNoScaler()
	case p.schedule != nil:
		return find(notScheduled, p.fields("name", p.schedule.Name))
	}
	return find(noScaler, p.fields())
}

// checkTarget reads the scale of the workload, as the HorizontalPodAutoscaler does.
func (p *path) checkTarget(ctx context.Context) error {
	target := p.scaler.Spec.ScaleTargetRef
	resource, err := p.client.resourceOf(ctx, target.APIVersion, target.Kind)
	if err != nil {
		return unreadable(err)
	}
	if resource == nil {
		return find(noTarget, p.fields())
	}
	root := "/apis/"
	if !strings.Contains(target.APIVersion, "/") {
		root = "/api/"
	}
	var scale struct {
		Spec   struct{ Replicas int32 }
		Status struct{ Selector string }
	}
	err = p.client.get(ctx, root+target.APIVersion+"/namespaces/"+p.Namespace+"/"+resource.Name+"/"+target.Name+"/scale", nil, &scale)
	if isNotFound(err) {
		return find(noTarget, p.fields())
	}
	if err != nil {
		return unreadable(err)
	}
	p.selector, p.wanted = scale.Status.Selector, scale.Spec.Replicas
	if p.wanted == 0 {
		return find(scaledToZero, p.fields())
	}
	return nil
}

func (p *path) checkPods(ctx context.Context) error {
	if p.selector == "" {
		return errUnknown
	}
	var list corev1.PodList
	if err := p.client.list(ctx, "/api/v1", p.Namespace, "pods", p.selector, &list); err != nil {
		return unreadable(err)
	}
	for _, pod := range list.Items {
		if isReady(pod) {
			p.pods = append(p.pods, pod)
		}
	}
	switch {
	case p.wanted == 0:
		return stop(scaledToZero)
	case len(list.Items) == 0:
		return find(noPods, p.fields())
	case len(p.pods) == 0:
		return find(noReadyPod, p.fields("count", strconv.Itoa(len(list.Items))))
	}
	return nil
}

func isReady(pod corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// names returns the names of pods: all, or the first and the number of the others.
func names(pods []corev1.Pod) string {
	switch len(pods) {
	case 0:
		return "the pods"
	case 1:
		return "pod " + pods[0].Name
	}
	return fmt.Sprintf("pod %s and %d more", pods[0].Name, len(pods)-1)
}

// ofLease reports whether an object is one that Prometheus reads for the lease: its own, or
// one that leases of the release share.
func (p *path) ofLease(labels map[string]string) bool {
	lease, own := labels[v1alpha1.LeaseLabel]
	return labels[instanceLabel] == p.scaler.Labels[instanceLabel] && (!own || lease == p.Lease)
}
