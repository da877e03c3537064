// Package triton simulates Triton Inference Server: it serves Triton's health endpoints,
// metrics and inference requests, from a model of its queues under a load that a test
// sets. Everything else in the pod (the command line, ports, probes, labels, volumes) is
// what the chart renders.
package triton

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/triton-leases/tms/test/e2e/node"
)

// Engine is the place where requests wait, and what Triton counts of them.
type Engine string

const (
	// EnginePython is an engine behind the Python backend, as vLLM and the LLM API of
	// TensorRT-LLM: requests wait in the engine. Triton counts a success when it hands a
	// request over, so its queue durations and pending requests are near 0.
	EnginePython Engine = "python"
	// EngineTensorRT is the C++ executor of TensorRT-LLM: requests wait in the executor.
	// Triton counts a success when a request completes, but its queue durations and
	// pending requests are near 0. The backend exports gauges of its own.
	EngineTensorRT Engine = "tensorrt"
)

// Behavior is the configuration of the Tritons of a workload, and their load.
type Behavior struct {
	// Engine is the engine that queues requests. "": Triton does.
	Engine Engine `json:"engine,omitempty"`
	// Prefill is the time from the start of a request to its first response. 0: the first
	// response is the only one.
	Prefill time.Duration `json:"prefill,omitempty"`
	// MaxActive is the number of requests that TensorRT-LLM's executor takes, at least
	// Instances, the number that it serves at the same time.
	MaxActive int `json:"maxActive,omitempty"`
	// Rate is the number of simulated requests per second to the workload. They are
	// spread evenly over its ready pods. Requests of real clients come in addition.
	Rate float64 `json:"rate"`
	// Share spreads the rate over models by weight. By default all have the same weight.
	Share map[string]float64 `json:"share,omitempty"`
	// Service is the time for which a request occupies an instance, Instances the
	// number of instances of a model.
	Service   time.Duration `json:"service"`
	Instances int           `json:"instances"`
	// QueueSize limits the queue of a model (max_queue_size), or the queue of its engine.
	// Requests beyond it are dropped, and Triton does not count them. 0: no limit.
	QueueSize int `json:"queueSize"`
	// QueueTimeout is the maximum time in the queue (default_timeout_microseconds).
	// After it a request fails with the reason REJECTED. 0: there is no maximum. It has no
	// effect in the queue of an engine.
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

// leave ends the simulated load of a Triton.
func (f *Fleet) leave(s *server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advance(s.workload)
	s.ready = false
	f.spread(s.workload)
}

func (f *Fleet) add(c *node.Container, o options, read *repositories) *server {
	f.mu.Lock()
	defer f.mu.Unlock()
	workload := Workload(c.Pod)
	s := newServer(workload, c.Pod, o, read, f.now(), f.seed)
	for _, q := range s.queues {
		q.wake = func(at time.Time) { // so that a real request is answered in time
			time.AfterFunc(at.Sub(f.now())+time.Millisecond, func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				s.advance(f.now(), f.behavior(s.workload))
			})
		}
	}
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

// The errors with which a Triton ends.
var (
	errKilled  = errors.New("killed")
	errExpired = errors.New("exit timeout expired: exiting immediately")
)

// Run implements node.Runner.
func (f *Fleet) Run(ctx context.Context, c *node.Container) int32 {
	err := f.run(ctx, c)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintf(c.Log, "%s error: %v\n", time.Now().Format(time.TimeOnly), err)
	if errors.Is(err, errKilled) {
		return 137
	}
	return 1
}

// load reads the model repositories of a Triton, and logs what it cannot load. It copies the
// repositories on S3 servers to subfolders of a folder.
func load(ctx context.Context, c *node.Container, o options, folder string) (*repositories, error) {
	copies := map[string]string{}
	for i, repository := range o.repositories {
		s3, ok := parseS3(repository)
		if !ok {
			continue
		}
		credential, err := s3.credential(c.Environment, c.Mounted)
		if err != nil {
			return nil, fmt.Errorf("Internal - %w", err)
		}
		copies[repository] = filepath.Join(folder, strconv.Itoa(i))
		if err := s3.copy(ctx, credential, copies[repository]); err != nil {
			return nil, fmt.Errorf("Internal - %w", err)
		}
	}
	read, err := readRepositories(o, func(path string) (string, bool) {
		if copied, ok := copies[path]; ok {
			return copied, true
		}
		return c.Mounted(path)
	})
	if err != nil {
		return nil, err
	}
	for _, complaint := range read.complaints {
		_, _ = fmt.Fprintf(c.Log, "%s error: %s\n", time.Now().Format(time.TimeOnly), complaint)
	}
	if (!read.polled || !read.ready()) && o.exitOnError {
		return nil, errors.New("Internal - failed to load all models")
	}
	return read, nil
}

// run runs the command of a container. The entry point of the image executes the
// arguments if the container has no command.
func (f *Fleet) run(ctx context.Context, c *node.Container) error {
	command := append(append([]string{}, c.Command...), c.Args...)
	_, _ = fmt.Fprintf(c.Log, "%s %q\n", time.Now().Format(time.TimeOnly), command)
	if len(command) == 0 {
		command = []string{"bash"} // the default command of the image
	}
	switch path.Base(command[0]) {
	case "tritonserver":
	case "curl": // helm test
		return curl(ctx, c, command[1:])
	default:
		return fmt.Errorf("exec: %s: not found; the simulated image has tritonserver and curl", command[0])
	}
	o, err := parse(command[1:], versionOf(c.Image))
	if err != nil {
		return fmt.Errorf("tritonserver: %w", err)
	}
	folder, err := os.MkdirTemp("", "triton-repositories-")
	if err != nil {
		return fmt.Errorf("folder of the repositories: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	read, err := load(ctx, c, o, folder)
	if err != nil {
		return fmt.Errorf("creating server: %w", err)
	}
	s := f.add(c, o, read)
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
