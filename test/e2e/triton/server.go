package triton

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/triton-leases/tms/test/e2e/node"
)

// server is one Triton. Its fleet's lock guards it.
type server struct {
	workload string
	pod      string
	options  options
	read     *repositories
	models   []string // those that it serves
	queues   map[string]*queue
	ready    bool
	gpus     []string // uuids
	at       time.Time
	cpu      float64 // seconds used
	busy     float64 // share of busy instances, smoothed over a second
}

func newServer(workload string, pod *corev1.Pod, o options, read *repositories, now time.Time, seed uint64) *server {
	s := &server{workload: workload, pod: pod.Name, options: o, read: read, models: read.loaded(), queues: map[string]*queue{}, at: now}
	for i, model := range s.models {
		s.queues[model] = newQueue(now, seed+uint64(i))
	}
	gpus := int64(0)
	for _, c := range pod.Spec.Containers {
		limit := c.Resources.Limits["nvidia.com/gpu"]
		gpus += limit.Value()
	}
	for i := range gpus {
		s.gpus = append(s.gpus, fmt.Sprintf("GPU-%08x-0000-4000-8000-%012x", seed, i))
	}
	return s
}

// advance moves all models to a time.
func (s *server) advance(now time.Time, b Behavior) {
	passed := now.Sub(s.at).Seconds()
	if passed <= 0 {
		return
	}
	busy := 0.0
	for _, q := range s.queues {
		before := q.busySeconds
		q.advance(now, b)
		busy += q.busySeconds - before
	}
	s.at = now
	s.cpu += busy * b.CPU
	if len(s.queues) == 0 {
		return
	}
	// Smooth over a second, to reduce the noise of scrapes in short succession.
	weight := min(1, passed)
	part := busy / passed / float64(max(1, b.Instances)) / float64(len(s.queues))
	s.busy += weight * (part - s.busy)
}

// idle reports whether no model has requests.
func (s *server) idle() bool {
	for _, q := range s.queues {
		if !q.idle() {
			return false
		}
	}
	return true
}

// spread sets this Triton's share of the load.
func (s *server) spread(b Behavior, ready int) {
	sum := 0.0
	for _, model := range s.models {
		sum += weight(b, model)
	}
	for _, model := range s.models {
		rate := 0.0
		if s.ready && sum > 0 {
			rate = b.Rate / float64(ready) * weight(b, model) / sum
		}
		s.queues[model].setRate(rate)
	}
}

func weight(b Behavior, model string) float64 {
	if b.Share == nil {
		return 1
	}
	return b.Share[model]
}

// curl simulates the curl command in the pod of helm test. The host names are names of
// Services in the namespace of the pod.
func curl(ctx context.Context, c *node.Container, arguments []string) error {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:53")
	}}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		ips, err := resolver.LookupHost(ctx, host+"."+c.Pod.Namespace+".svc.cluster.local.")
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(ips[0], port))
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	for _, argument := range arguments {
		if !strings.HasPrefix(argument, "http://") {
			continue
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, argument, nil)
		if err != nil {
			return fmt.Errorf("curl: %w", err)
		}
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("curl: %w", err)
		}
		_ = response.Body.Close()
		if response.StatusCode >= 400 {
			return errors.New("curl: " + response.Status)
		}
	}
	return nil
}
