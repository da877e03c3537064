package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod is a pod on this node.
type pod struct {
	node   *Node
	object *corev1.Pod
	ip     string
	dir    string

	mu         sync.Mutex
	containers map[string]*state
	phase      corev1.PodPhase
	conditions map[corev1.PodConditionType]corev1.PodCondition
	started    metav1.Time

	changed   chan struct{} // receives after each change of the status
	stop      chan struct{} // closed to terminate the containers
	stopOnce  sync.Once
	force     chan struct{} // closed when the grace period is 0
	forceOnce sync.Once
	grace     atomic.Int64
	ended     chan struct{} // closed when the containers have ended
	confirmed atomic.Bool
}

// state is the state of a container.
type state struct {
	ready, started bool
	restarts       int32
	running        *metav1.Time
	exit, last     *corev1.ContainerStateTerminated // of this run and the one before
	unresolved     string                           // why the container cannot be created
	crash          context.CancelCauseFunc
	container      *Container
}

func newPod(n *Node, object *corev1.Pod, ip string) *pod {
	p := &pod{
		node: n, object: object, ip: ip, phase: corev1.PodPending, started: metav1.Now(),
		dir:        filepath.Join(n.config.Dir, fmt.Sprintf("%s_%s_%.8s", object.Namespace, object.Name, object.UID)),
		containers: map[string]*state{}, conditions: map[corev1.PodConditionType]corev1.PodCondition{},
		changed: make(chan struct{}, 1), stop: make(chan struct{}), force: make(chan struct{}), ended: make(chan struct{}),
	}
	for _, c := range append(object.Spec.InitContainers, object.Spec.Containers...) {
		p.containers[c.Name] = &state{}
	}
	return p
}

// end terminates the pod with a grace period in seconds. A later call may shorten the
// period, as kubectl delete --force does.
func (p *pod) end(grace int64) {
	p.grace.Store(grace)
	p.stopOnce.Do(func() { close(p.stop) })
	if grace == 0 {
		p.forceOnce.Do(func() { close(p.force) })
	}
}

// crash kills one container.
func (p *pod) crash(container string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.containers[container]
	if s == nil || s.crash == nil {
		return fmt.Errorf("no container %s runs in pod %s", container, p.object.Name)
	}
	s.crash(errCrash)
	return nil
}

// signal sends a signal to one container.
func (p *pod) signal(container string, signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.containers[container]
	if s == nil || s.running == nil {
		return fmt.Errorf("no container %s runs in pod %s", container, p.object.Name)
	}
	return s.container.send(signal)
}

// run runs the pod until its containers have ended.
func (p *pod) run(parent context.Context) {
	defer close(p.ended)
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	go func() {
		select {
		case <-p.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	go p.publish(parent)
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		p.node.config.Report("pod %s: %v", p.object.Name, err)
		return
	}
	if !p.mount(ctx) {
		return
	}
	for _, c := range p.object.Spec.InitContainers {
		for ctx.Err() == nil && p.once(parent, c) != 0 {
			p.set(func() { p.containers[c.Name].restarts++ })
			sleep(ctx, time.Second)
		}
	}
	if ctx.Err() != nil {
		return
	}
	p.set(func() { p.phase = corev1.PodRunning })
	var all sync.WaitGroup
	for i, c := range p.object.Spec.Containers {
		if i > 0 { // the config-reloader of Prometheus misses changes while its first reload fails
			p.awaitFirst(ctx, p.object.Spec.Containers[0].Name)
		}
		all.Go(func() { p.keep(parent, ctx, c) })
	}
	all.Wait()
	p.set(func() { p.phase = p.finalPhase() })
}

func (p *pod) awaitFirst(ctx context.Context, container string) {
	for range 300 {
		p.mu.Lock()
		ready := p.containers[container].ready
		p.mu.Unlock()
		if ready || ctx.Err() != nil {
			return
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

// finalPhase returns the phase of the pod after all containers have ended.
func (p *pod) finalPhase() corev1.PodPhase {
	for _, c := range p.object.Spec.Containers {
		if s := p.containers[c.Name]; s.exit == nil || s.exit.ExitCode != 0 {
			return corev1.PodFailed
		}
	}
	return corev1.PodSucceeded
}

// keep runs a container, and restarts it according to the restart policy. The context
// alive ends with the pod, node with the node.
func (p *pod) keep(node, alive context.Context, c corev1.Container) {
	for alive.Err() == nil {
		code := p.once(node, c)
		again := p.object.Spec.RestartPolicy == corev1.RestartPolicyAlways ||
			p.object.Spec.RestartPolicy == corev1.RestartPolicyOnFailure && code != 0
		if !again {
			return
		}
		restarts := int32(0)
		p.set(func() {
			p.containers[c.Name].restarts++
			restarts = p.containers[c.Name].restarts
		})
		sleep(alive, time.Duration(min(restarts, 10))*time.Second)
	}
}

// create creates a container. As a kubelet, it retries while a Secret of the variables does
// not exist. It returns nil if the pod ends before.
func (p *pod) create(node context.Context, c corev1.Container) *Container {
	for {
		container, err := p.container(node, c)
		if err == nil {
			return container
		}
		p.set(func() { p.containers[c.Name].unresolved = err.Error() })
		select {
		case <-p.stop:
			return nil
		case <-node.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// once runs and probes a container until it ends, and returns its exit code.
func (p *pod) once(node context.Context, c corev1.Container) (code int32) {
	container := p.create(node, c)
	if container == nil {
		return 128
	}
	defer func() { _ = container.Log.Close() }()
	// The container is terminated when ctx is done. It is probed until it ends.
	ctx, terminate := context.WithCancel(context.WithoutCancel(node))
	defer terminate()
	probing, kill := context.WithCancelCause(node)
	ended := make(chan struct{})
	now := metav1.Now()
	p.set(func() {
		s := p.containers[c.Name]
		if s.exit != nil {
			s.last = s.exit
		}
		s.running, s.exit, s.crash, s.ready, s.started, s.container, s.unresolved = &now, nil, kill, false, false, container, ""
	})
	var helpers sync.WaitGroup
	helpers.Go(func() { p.probe(probing, c, kill) })
	helpers.Go(func() { p.supervise(node, probing, container, terminate, ended) })
	code = p.node.runner(c.Image).Run(ctx, container)
	close(ended)
	kill(nil)
	helpers.Wait()
	p.set(func() {
		s := p.containers[c.Name]
		s.ready, s.started, s.running, s.crash = false, false, nil, nil
		s.exit = &corev1.ContainerStateTerminated{
			ExitCode: code, Reason: reason(code), Message: terminationMessage(c, container, code), StartedAt: now, FinishedAt: metav1.Now(),
		}
	})
	return code
}

// terminationMessage returns the end of the log of a failed container that asks for it. Files
// with termination messages are not simulated.
func terminationMessage(c corev1.Container, container *Container, code int32) string {
	if code == 0 || c.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError {
		return ""
	}
	text, err := os.ReadFile(container.Log.Name())
	if err != nil {
		return err.Error()
	}
	const longest = 2048 // bytes, as in the kubelet
	return string(text[max(0, len(text)-longest):])
}

func reason(code int32) string {
	if code == 0 {
		return "Completed"
	}
	return "Error"
}
