package node

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
)

var (
	errCrash     = errors.New("killed by the test")
	errUnhealthy = errors.New("killed by a probe")
)

// prober sends probes without keep-alive, as the kubelet does.
var prober = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}

// probe runs the probes of a container as the kubelet does: first the startup probe
// until it succeeds, then the readiness and the liveness probe concurrently. While the pod
// terminates, only the readiness probe runs.
func (p *pod) probe(ctx context.Context, c corev1.Container, kill context.CancelCauseFunc) {
	if probe := c.StartupProbe; probe != nil {
		failures := int32(0)
		sleep(ctx, seconds(probe.InitialDelaySeconds, 0))
		for ctx.Err() == nil && p.runProbe(ctx, c, probe) != nil {
			if p.terminating() {
				return
			}
			if failures++; failures >= orDefault(probe.FailureThreshold, 3) {
				p.node.config.Report("pod %s: startup probe of %s failed %d times", p.object.Name, c.Name, failures)
				kill(errUnhealthy)
				return
			}
			sleep(ctx, seconds(probe.PeriodSeconds, 10))
		}
	}
	if ctx.Err() != nil {
		return
	}
	p.set(func() { p.containers[c.Name].started = true })
	if probe := c.LivenessProbe; probe != nil {
		go p.live(ctx, c, probe, kill)
	}
	p.ready(ctx, c, c.ReadinessProbe)
}

func (p *pod) ready(ctx context.Context, c corev1.Container, probe *corev1.Probe) {
	mark := func(is bool) {
		p.mu.Lock()
		same := p.containers[c.Name].ready == is
		p.mu.Unlock()
		if !same && ctx.Err() == nil {
			p.set(func() { p.containers[c.Name].ready = is })
		}
	}
	if probe == nil {
		mark(true)
		return
	}
	sleep(ctx, seconds(probe.InitialDelaySeconds, 0))
	failures := int32(0)
	for ctx.Err() == nil {
		if p.runProbe(ctx, c, probe) == nil {
			failures = 0
			mark(true)
		} else if failures++; failures >= orDefault(probe.FailureThreshold, 3) {
			mark(false)
		}
		sleep(ctx, seconds(probe.PeriodSeconds, 10))
	}
}

func (p *pod) live(ctx context.Context, c corev1.Container, probe *corev1.Probe, kill context.CancelCauseFunc) {
	sleep(ctx, seconds(probe.InitialDelaySeconds, 0))
	failures := int32(0)
	for ctx.Err() == nil && !p.terminating() {
		if p.runProbe(ctx, c, probe) == nil {
			failures = 0
		} else if failures++; failures >= orDefault(probe.FailureThreshold, 3) && ctx.Err() == nil && !p.terminating() {
			p.node.config.Report("pod %s: liveness probe of %s failed %d times", p.object.Name, c.Name, failures)
			kill(errUnhealthy)
			return
		}
		sleep(ctx, seconds(probe.PeriodSeconds, 10))
	}
}

// runProbe runs a probe once. Probes other than httpGet count as successful.
func (p *pod) runProbe(ctx context.Context, c corev1.Container, probe *corev1.Probe) error {
	get := probe.HTTPGet
	if get == nil {
		return nil
	}
	// The default timeout of Kubernetes, one second, is too short on a busy machine.
	ctx, cancel := context.WithTimeout(ctx, max(5*time.Second, seconds(probe.TimeoutSeconds, 1)))
	defer cancel()
	return p.httpGet(ctx, c, get)
}

func seconds(n, fallback int32) time.Duration {
	return time.Duration(orDefault(n, fallback)) * time.Second
}

// orDefault returns n, or the default if the field is not set.
func orDefault(n, fallback int32) int32 {
	if n == 0 {
		return fallback
	}
	return n
}
