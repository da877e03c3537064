// Package triton simulates Triton Inference Server: it serves Triton's health
// endpoints and metrics, from a model of its queues under a load that a test sets.
// Everything else in the pod (the command line, ports, probes, labels, volumes) is
// what the chart renders.
package triton

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/triton-leases/tms/test/e2e/node"
)

// Behavior is the configuration of the Tritons of a workload, and their load.
type Behavior struct {
	// Rate is the number of requests per second to the workload. They are spread
	// evenly over its ready pods.
	Rate float64 `json:"rate"`
	// Share spreads the rate over models by weight. By default all have the same weight.
	Share map[string]float64 `json:"share,omitempty"`
	// Service is the time for which a request occupies an instance, Instances the
	// number of instances of a model.
	Service   time.Duration `json:"service"`
	Instances int           `json:"instances"`
	// QueueSize limits the queue of a model (max_queue_size). Triton drops requests
	// beyond it, and does not count them.
	QueueSize int `json:"queueSize"`
	// QueueTimeout is the maximum time in the queue (default_timeout_microseconds).
	// After it a request fails with the reason REJECTED. 0: there is no maximum.
	QueueTimeout time.Duration `json:"queueTimeout"`
	// CacheHits is the share of requests that the response cache answers, 0 to 1.
	CacheHits float64 `json:"cacheHits"`
	// Jammed means that no request begins or completes.
	Jammed bool `json:"jammed"`
	// LoadTime is the time in which a new Triton loads its models. Until then it
	// refuses connections.
	LoadTime time.Duration `json:"loadTime"`
	// CPU is the number of cores that one busy instance uses.
	CPU float64 `json:"cpu"`
	// GPU is the utilization of each GPU of the pod, 0 to 1, while an instance is
	// busy. Further GPUs have the last value. If it is empty, there is no GPU metric.
	GPU []float64 `json:"gpu,omitempty"`
}

// Default returns the behavior of a workload that no test has changed: each pod
// serves 20 requests per second, and requests wait for at most a second.
func Default() Behavior {
	return Behavior{Service: 50 * time.Millisecond, Instances: 1, QueueSize: 20, LoadTime: 500 * time.Millisecond, CPU: 1, GPU: []float64{1}}
}

// Fleet has the Tritons of a cluster. It runs the containers of Triton's image.
type Fleet struct {
	mu        sync.Mutex
	behaviors map[string]Behavior
	servers   map[string]map[*server]bool // by workload
	seed      uint64
	now       func() time.Time
}

// NewFleet returns an empty fleet.
func NewFleet() *Fleet {
	return &Fleet{behaviors: map[string]Behavior{}, servers: map[string]map[*server]bool{}, now: time.Now}
}

// Change changes the behavior of a workload, <namespace>/<deployment>.
func (f *Fleet) Change(workload string, change func(*Behavior)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(workload)
	b := f.behavior(workload)
	change(&b)
	f.behaviors[workload] = b
	f.spread(workload)
}

// Behavior returns the behavior of a workload.
func (f *Fleet) Behavior(workload string) Behavior {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.behavior(workload)
}

func (f *Fleet) behavior(workload string) Behavior {
	if b, ok := f.behaviors[workload]; ok {
		return b
	}
	return Default()
}

// advance moves all Tritons of a workload to the present.
func (f *Fleet) advance(workload string) {
	now, b := f.now(), f.behavior(workload)
	for s := range f.servers[workload] {
		s.advance(now, b)
	}
}

// spread gives each ready Triton its share of the load.
func (f *Fleet) spread(workload string) {
	ready := 0
	for s := range f.servers[workload] {
		if s.ready {
			ready++
		}
	}
	b := f.behavior(workload)
	for s := range f.servers[workload] {
		s.spread(b, ready)
	}
}

func (f *Fleet) join(s *server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(s.workload)
	s.ready = true
	f.spread(s.workload)
}

func (f *Fleet) add(c *node.Container, models []string) *server {
	f.mu.Lock()
	defer f.mu.Unlock()
	workload := Workload(c.Pod)
	s := newServer(workload, c.Pod, models, f.now(), f.seed)
	f.seed += 100
	if f.servers[workload] == nil {
		f.servers[workload] = map[*server]bool{}
	}
	f.servers[workload][s] = true
	return s
}

func (f *Fleet) remove(s *server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(s.workload)
	delete(f.servers[s.workload], s)
	f.spread(s.workload)
}

// Workload returns the key of a pod's Deployment, <namespace>/<deployment>. It removes
// the hash of the ReplicaSet and the suffix of the pod from the name.
func Workload(pod *corev1.Pod) string {
	name := pod.Name
	for range 2 {
		if dash := strings.LastIndex(name, "-"); dash > 0 && len(pod.OwnerReferences) > 0 {
			name = name[:dash]
		}
	}
	return pod.Namespace + "/" + name
}

// Run implements node.Runner.
func (f *Fleet) Run(ctx context.Context, c *node.Container) int32 {
	err := f.run(ctx, c)
	if err != nil {
		_, _ = fmt.Fprintf(c.Log, "error: %v\n", err)
		return 1
	}
	return 0
}

func (f *Fleet) run(ctx context.Context, c *node.Container) error {
	command := append(append([]string{}, c.Command...), c.Args...)
	_, _ = fmt.Fprintf(c.Log, "%s %q\n", time.Now().Format(time.TimeOnly), command)
	if len(command) > 0 && command[0] == "curl" { // helm test
		return curl(ctx, c, command[1:])
	}
	var models []string
	for _, argument := range command {
		if model, ok := strings.CutPrefix(argument, "--load-model="); ok {
			models = append(models, model)
		}
	}
	if len(models) == 0 {
		models = []string{"model"}
	}
	s := f.add(c, models)
	defer f.remove(s)
	c.ReportCPU(func() float64 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.advance(s.workload)
		return s.cpu
	})
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(f.Behavior(s.workload).LoadTime):
	}
	return f.serve(ctx, c, s)
}
