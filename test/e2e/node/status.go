package node

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// set changes the state of the pod, and triggers publish.
func (p *pod) set(change func()) {
	p.mu.Lock()
	change()
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// publish writes the status of the pod whenever it changes. It retries while the API
// server is down.
func (p *pod) publish(ctx context.Context) {
	for over := false; !over; {
		select {
		case <-ctx.Done():
			return
		case <-p.ended:
			over = true
		case <-p.changed:
		}
		for ctx.Err() == nil {
			patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.object.UID}, "status": p.status()})
			if err != nil {
				p.node.config.Report("status of pod %s: %v", p.object.Name, err)
				return
			}
			_, err = p.node.config.Client.CoreV1().Pods(p.object.Namespace).Patch(ctx, p.object.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
			if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
				return
			}
			if err == nil {
				break
			}
			p.node.config.Report("status of pod %s/%s (will retry): %v", p.object.Namespace, p.object.Name, err)
			sleep(ctx, 500*time.Millisecond)
		}
	}
}

// status returns the status of the pod. The transition time of a condition changes
// only with its status: the HorizontalPodAutoscaler controller reads it.
func (p *pod) status() corev1.PodStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := p.phase == corev1.PodRunning
	var containers, inits []corev1.ContainerStatus
	for _, c := range p.object.Spec.Containers {
		ready = ready && p.containers[c.Name].ready
		containers = append(containers, p.containerStatus(c))
	}
	for _, c := range p.object.Spec.InitContainers {
		inits = append(inits, p.containerStatus(c))
	}
	condition := func(kind corev1.PodConditionType, is bool) corev1.PodCondition {
		value := corev1.ConditionFalse
		if is {
			value = corev1.ConditionTrue
		}
		if last, ok := p.conditions[kind]; !ok || last.Status != value {
			p.conditions[kind] = corev1.PodCondition{Type: kind, Status: value, LastTransitionTime: metav1.Now()}
		}
		return p.conditions[kind]
	}
	return corev1.PodStatus{
		Phase: p.phase, HostIP: p.node.config.IP, HostIPs: []corev1.HostIP{{IP: p.node.config.IP}},
		PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}}, StartTime: &p.started,
		Conditions: []corev1.PodCondition{
			condition(corev1.PodReadyToStartContainers, true), condition(corev1.PodInitialized, p.phase != corev1.PodPending),
			condition(corev1.ContainersReady, ready), condition(corev1.PodReady, ready), condition(corev1.PodScheduled, true),
		},
		ContainerStatuses: containers, InitContainerStatuses: inits,
	}
}

func (p *pod) containerStatus(c corev1.Container) corev1.ContainerStatus {
	s := p.containers[c.Name]
	status := corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: c.Image, ContainerID: "loopback://" + string(p.object.UID) + "-" + c.Name,
		Ready: s.ready, Started: &s.started, RestartCount: s.restarts,
		LastTerminationState: corev1.ContainerState{Terminated: s.last},
	}
	switch {
	case s.unresolved != "":
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: s.unresolved}
	case s.running != nil:
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: *s.running}
	case s.exit != nil:
		status.State.Terminated = s.exit
		if s.exit.ExitCode == 0 { // a completed init container counts as ready
			status.Ready = true
		}
	default:
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
	}
	return status
}
