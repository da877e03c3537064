package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// minimumGrace is the time that the kubelet leaves a container after its preStop hook,
// even if the hook used up the grace period.
const minimumGrace = 2 * time.Second

// supervise terminates a container when its pod is deleted or when its probes fail, and
// kills it when a test crashes it or the node stops. It returns when the container has
// ended.
func (p *pod) supervise(node, probing context.Context, c *Container, terminate func(), ended <-chan struct{}) {
	defer func() {
		close(c.killed) // before the container is terminated, so that it gets no SIGTERM
		terminate()
	}()
	grace := time.Duration(0)
	select {
	case <-ended:
		return
	case <-node.Done():
		return
	case <-probing.Done():
		if node.Err() != nil || !errors.Is(context.Cause(probing), errUnhealthy) {
			return
		}
		grace = time.Duration(ptr.Deref(p.object.Spec.TerminationGracePeriodSeconds, 30)) * time.Second
	case <-p.stop:
		grace = time.Duration(p.grace.Load()) * time.Second
	}
	if grace == 0 {
		return
	}
	begun := time.Now()
	limit, cancel := context.WithTimeout(node, grace)
	defer cancel()
	abort := make(chan struct{})
	go func() { // ends the hook and the grace period early
		select {
		case <-ended:
		case <-p.force:
		case <-node.Done():
		case <-crashed(probing):
		case <-limit.Done():
			return
		}
		close(abort)
		cancel()
	}()
	if err := p.preStop(limit, c); err != nil {
		p.node.config.Report("pod %s: preStop of %s: %v", p.object.Name, c.Name, err)
	}
	select {
	case <-abort:
		return
	default:
	}
	terminate()
	select {
	case <-abort:
	case <-ended:
	case <-p.force:
	case <-node.Done():
	case <-time.After(max(minimumGrace, grace-time.Since(begun))):
		p.node.config.Report("pod %s: %s is killed after the grace period of %s", p.object.Name, c.Name, grace)
	}
}

// crashed returns a channel that is closed when a test crashes the container.
func crashed(probing context.Context) <-chan struct{} {
	c := make(chan struct{})
	context.AfterFunc(probing, func() {
		if errors.Is(context.Cause(probing), errCrash) {
			close(c)
		}
	})
	return c
}

// preStop runs the preStop hook of a container until it ends or the context is done. A
// failed hook does not prevent the termination.
func (p *pod) preStop(ctx context.Context, c *Container) error {
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
		return nil
	}
	switch hook := c.Lifecycle.PreStop; {
	case hook.Sleep != nil:
		sleep(ctx, time.Duration(hook.Sleep.Seconds)*time.Second)
		return nil
	case hook.HTTPGet != nil:
		return p.httpGet(ctx, c.Container, hook.HTTPGet)
	case hook.Exec != nil:
		return execute(ctx, hook.Exec.Command)
	}
	return nil
}

// execute runs the command of a hook. Only sleep exists in all containers.
func execute(ctx context.Context, command []string) error {
	words := strings.Fields(strings.Join(command, " "))
	for len(words) > 0 && (strings.HasSuffix(words[0], "sh") || words[0] == "-c") {
		words = words[1:]
	}
	if len(words) == 2 && (words[0] == "sleep" || words[0] == "/bin/sleep") {
		if seconds, err := strconv.ParseFloat(strings.TrimSuffix(words[1], "s"), 64); err == nil {
			sleep(ctx, time.Duration(seconds*float64(time.Second)))
			return nil
		}
	}
	return fmt.Errorf("exec %q: %w; the simulated containers have sleep only", command, exec.ErrNotFound)
}

// httpGet sends the request of a probe or a hook.
func (p *pod) httpGet(ctx context.Context, c corev1.Container, get *corev1.HTTPGetAction) error {
	port := get.Port.IntValue()
	if get.Port.Type == intstr.String {
		for _, named := range c.Ports {
			if named.Name == get.Port.StrVal {
				port = int(named.ContainerPort)
			}
		}
	}
	scheme := strings.ToLower(string(get.Scheme))
	if scheme == "" {
		scheme = "http"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(p.ip, strconv.Itoa(port))+get.Path, nil)
	if err != nil {
		return fmt.Errorf("httpGet: %w", err)
	}
	response, err := prober.Do(request)
	if err != nil {
		return fmt.Errorf("httpGet: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return fmt.Errorf("httpGet: %s", response.Status)
	}
	return nil
}

// terminating reports whether the pod is deleted.
func (p *pod) terminating() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}
