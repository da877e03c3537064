package doctor

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// cpu is the CPU use of a container that the HorizontalPodAutoscaler reads.
type cpu struct {
	*path
	container string
}

func (p *path) cpuSteps(container string) []step {
	c := &cpu{path: p, container: container}
	return []step{
		{"container " + container + " has a CPU request", c.checkContainer},
		{"metrics-server has the CPU usage of the pods", c.checkUsage},
	}
}

func (c *cpu) checkContainer(context.Context) error {
	if len(c.pods) == 0 {
		return errUnknown
	}
	pod := c.pods[0]
	i := slices.IndexFunc(pod.Spec.Containers, func(found corev1.Container) bool { return found.Name == c.container })
	if i < 0 {
		return find(noContainer, c.fields("container", c.container))
	}
	if pod.Spec.Containers[i].Resources.Requests.Cpu().IsZero() {
		return find(noCPURequest, c.fields("container", c.container))
	}
	return nil
}

func (c *cpu) checkUsage(ctx context.Context) error {
	if err := c.needs(cpuMetrics); err != nil {
		return err
	}
	if c.selector == "" {
		return errUnknown
	}
	var list struct {
		Items []struct {
			Containers []struct{ Name string } `json:"containers"`
		} `json:"items"`
	}
	err := c.client.get(ctx, "/apis/metrics.k8s.io/v1beta1/namespaces/"+c.Namespace+"/pods", url.Values{"labelSelector": {c.selector}}, &list)
	if err != nil {
		return unreadable(err)
	}
	for _, item := range list.Items {
		for _, container := range item.Containers {
			if container.Name == c.container {
				return nil
			}
		}
	}
	return find(noCPUValue, c.fields("pods", names(c.pods)))
}

func (p *path) scalerSteps() []step {
	return []step{
		{"the HorizontalPodAutoscaler can scale the workload", p.checkAbleToScale},
		{"the HorizontalPodAutoscaler reads its metrics", p.checkActive},
		{"the lease is below its maximum", p.checkMaximum},
		{"all replicas are ready", p.checkReplicas},
	}
}

// condition returns a condition of the HorizontalPodAutoscaler, and an empty one if it does
// not have it yet.
func (p *path) condition(kind autoscalingv2.HorizontalPodAutoscalerConditionType) autoscalingv2.HorizontalPodAutoscalerCondition {
	for _, condition := range p.scaler.Status.Conditions {
		if condition.Type == kind {
			return condition
		}
	}
	return autoscalingv2.HorizontalPodAutoscalerCondition{}
}

func (p *path) checkAbleToScale(context.Context) error {
	condition := p.condition(autoscalingv2.AbleToScale)
	if condition.Status == corev1.ConditionFalse {
		return find(unableToScale, p.fields("reason", cmp.Or(condition.Message, condition.Reason)))
	}
	return nil
}

func (p *path) checkActive(context.Context) error {
	condition := p.condition(autoscalingv2.ScalingActive)
	switch {
	case condition.Reason == "AmbiguousSelector":
		return find(ambiguousSelector, p.fields())
	case condition.Status != corev1.ConditionTrue:
		return find(scalerInactive, p.fields("reason", cmp.Or(condition.Message, condition.Reason, "it has not read the metrics yet")))
	}
	return nil
}

func (p *path) checkMaximum(context.Context) error {
	condition := p.condition(autoscalingv2.ScalingLimited)
	if condition.Status == corev1.ConditionTrue && condition.Reason == "TooManyReplicas" {
		return find(atMaximum, p.fields("maximum", strconv.Itoa(int(p.scaler.Spec.MaxReplicas))))
	}
	return nil
}

func (p *path) checkReplicas(context.Context) error {
	if len(p.pods) == 0 {
		return errUnknown
	}
	if ready := len(p.pods); ready < int(p.wanted) {
		return find(replicasNotReady, p.fields("ready", strconv.Itoa(ready), "count", strconv.Itoa(int(p.wanted))))
	}
	return nil
}
