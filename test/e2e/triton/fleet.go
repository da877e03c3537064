// Package triton stands in for Triton Inference Server: it serves Triton's
// health endpoints and its real metrics text, over a model of its queues under a
// load that a test sets. Everything else about the pod (the command line, ports,
// probes, labels, volumes) is what the chart rendered.
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

// Behavior is how the Tritons of a workload behave, and what comes to them.
type Behavior struct {
	// Rate is the number of requests per second that are offered to the workload,
	// spread evenly over its ready pods.
	Rate float64 `json:"rate"`
	// Share spreads the rate over models by weight. All have the same weight by default.
	Share map[string]float64 `json:"share,omitempty"`
	// Service is how long one request takes an instance; Instances how many a model has.
	Service   time.Duration `json:"service"`
	Instances int           `json:"instances"`
	// QueueSize bounds the queue of a model (max_queue_size). Requests beyond it are
	// turned away, which Triton counts nowhere.
	QueueSize int `json:"queueSize"`
	// QueueTimeout is how long a request may wait (default_timeout_microseconds).
	// Then it fails with the reason REJECTED. 0 means for ever.
	QueueTimeout time.Duration `json:"queueTimeout"`
	// CacheHits is the part of requests that the response cache answers.
	CacheHits float64 `json:"cacheHits"`
	// Jammed means that nothing is begun or completed.
	Jammed bool `json:"jammed"`
	// LoadTime is how long a new Triton loads its models. It refuses connections until then.
	LoadTime time.Duration `json:"loadTime"`
	// CPU is how many cores one busy instance uses.
	CPU float64 `json:"cpu"`
	// GPU is the utilization of each GPU of the pod, 0 to 1, while an instance is
	// busy. A GPU that is not named has the last value; none: no GPU metric at all.
	GPU []float64 `json:"gpu,omitempty"`
}

// Default is how a workload behaves that no test has spoken of: 20 requests a
// second for each pod, and at most a second in the queue.
func Default() Behavior {
	return Behavior{Service: 50 * time.Millisecond, Instances: 1, QueueSize: 20, LoadTime: 500 * time.Millisecond, CPU: 1, GPU: []float64{1}}
}

// Fleet is the Tritons of a cluster. It runs the containers of Triton's image.
type Fleet struct {
	mu        sync.Mutex
	behaviors map[string]Behavior
	servers   map[string]map[*server]bool // by workload
	seed      uint64
	now       func() time.Time
}

// NewFleet returns an idle fleet.
func NewFleet() *Fleet {
	return &Fleet{behaviors: map[string]Behavior{}, servers: map[string]map[*server]bool{}, now: time.Now}
}

// Change changes how a workload, <namespace>/<deployment>, behaves from now on.
func (f *Fleet) Change(workload string, change func(*Behavior)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(workload)
	b := f.behavior(workload)
	change(&b)
	f.behaviors[workload] = b
	f.spread(workload)
}

// Behavior returns how a workload behaves.
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

// advance lets time pass for all Tritons of a workload.
func (f *Fleet) advance(workload string) {
	now, b := f.now(), f.behavior(workload)
	for s := range f.servers[workload] {
		s.advance(now, b)
	}
}

// spread gives each ready Triton its part of the load.
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

// Workload is the key of the Deployment that a pod belongs to: its name without
// the hash of the ReplicaSet and without its own.
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
