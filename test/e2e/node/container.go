package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/api/v1/resource"
)

// Runner runs containers of one image.
type Runner interface {
	// Run runs a container until it ends, and returns its exit code. When the context is
	// done the container is terminated (SIGTERM): it ends by itself, or when Killed is
	// closed.
	Run(ctx context.Context, c *Container) int32
}

// Container is one container to run.
type Container struct {
	Pod *corev1.Pod
	corev1.Container
	// IP is the address of the pod.
	IP string
	// Environment has the values of the variables, with field references resolved.
	Environment map[string]string
	// Log is the log that kubectl logs shows.
	Log *os.File

	cpu     atomic.Pointer[func() float64]
	process atomic.Pointer[os.Process]
	dir     string // of the pod
	logFile string
	etc     string
	deleted <-chan struct{}
	killed  chan struct{}
}

// Deleted returns a channel that is closed when the pod is deleted. Services then send it
// no more requests, and the preStop hook runs.
func (c *Container) Deleted() <-chan struct{} { return c.deleted }

// Killed returns a channel that is closed when the container is killed (SIGKILL). It must
// end at once.
func (c *Container) Killed() <-chan struct{} { return c.killed }

// ReportCPU sets a function that returns the CPU time of the container so far, in
// seconds, for the kubelet's metrics.
func (c *Container) ReportCPU(used func() float64) { c.cpu.Store(&used) }

func (c *Container) usage() float64 {
	if used := c.cpu.Load(); used != nil {
		return (*used)()
	}
	return 0
}

// send sends a signal to the process of the container. If the container is not a process,
// it returns an error.
func (c *Container) send(signal syscall.Signal) error {
	process := c.process.Load()
	if process == nil {
		return fmt.Errorf("the container %s is not a process", c.Name)
	}
	if err := process.Signal(signal); err != nil {
		return fmt.Errorf("send %s to the container %s: %w", signal, c.Name, err)
	}
	return nil
}

func (p *pod) container(ctx context.Context, spec corev1.Container) (*Container, error) {
	var err error
	environment := map[string]string{
		"KUBERNETES_SERVICE_HOST": p.node.config.APIHost, "KUBERNETES_SERVICE_PORT": p.node.config.APIPort, "HOSTNAME": p.object.Name,
	}
	for _, e := range spec.Env {
		value := e.Value
		switch {
		case e.ValueFrom == nil:
		case e.ValueFrom.FieldRef != nil:
			value = p.field(e.ValueFrom.FieldRef.FieldPath)
		case e.ValueFrom.ResourceFieldRef != nil:
			if value, err = resource.ExtractContainerResourceValue(e.ValueFrom.ResourceFieldRef, &spec); err != nil {
				return nil, fmt.Errorf("variable %s of %s: %w", e.Name, spec.Name, err)
			}
		case e.ValueFrom.SecretKeyRef != nil:
			f, ref := files{}, e.ValueFrom.SecretKeyRef
			if err := p.secret(ctx, f, ref.Name, []corev1.KeyToPath{{Key: ref.Key, Path: ref.Key}}, ref.Optional); err != nil {
				return nil, fmt.Errorf("variable %s of %s: %w", e.Name, spec.Name, err)
			}
			if key, ok := f[ref.Key]; ok {
				environment[e.Name] = string(key.Data)
			}
			continue
		}
		environment[e.Name] = expand(value, environment)
	}
	path := p.logFile(spec.Name)
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", spec.Name, err)
	}
	return &Container{
		Pod: p.object, Container: spec, IP: p.ip, Environment: environment, Log: log,
		dir: p.dir, logFile: path, etc: p.node.config.Dir, deleted: p.stop, killed: make(chan struct{}),
	}, nil
}

func (p *pod) logFile(container string) string {
	return filepath.Join(p.node.config.Logs, fmt.Sprintf("pod-%s-%s-%s.log", p.object.Namespace, p.object.Name, container))
}

// field returns the value of a field in the downward API.
func (p *pod) field(path string) string {
	switch path {
	case "metadata.name":
		return p.object.Name
	case "metadata.namespace":
		return p.object.Namespace
	case "metadata.uid":
		return string(p.object.UID)
	case "status.podIP":
		return p.ip
	case "status.hostIP":
		return p.node.config.IP
	case "spec.nodeName":
		return p.node.config.Name
	case "spec.serviceAccountName":
		return p.object.Spec.ServiceAccountName
	}
	return ""
}

func expand(text string, environment map[string]string) string {
	for name, value := range environment {
		text = strings.ReplaceAll(text, "$("+name+")", value)
	}
	return text
}

// runner returns the runner of an image.
func (n *Node) runner(image string) Runner {
	repository, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndex(repository, ":"); colon > strings.LastIndex(repository, "/") {
		repository = repository[:colon]
	}
	if r, ok := n.config.Images[repository]; ok {
		return r
	}
	return absent{}
}

// absent is the runner of unknown images. The container never becomes ready.
type absent struct{}

func (absent) Run(ctx context.Context, c *Container) int32 {
	_, _ = fmt.Fprintf(c.Log, "there is no runner for the image %s\n", c.Image)
	<-ctx.Done()
	return 127
}
