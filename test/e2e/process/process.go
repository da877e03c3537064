// Package process runs the components of the cluster as child processes. Each has a
// log file, and none outlives the harness.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Group has the processes of a run, and the folder of their logs.
type Group struct {
	logs     string
	mu       sync.Mutex
	running  map[*Process]bool
	stopping bool
}

// NewGroup creates the folder of the logs, and returns a Group.
func NewGroup(logs string) (*Group, error) {
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, fmt.Errorf("folder of logs: %w", err)
	}
	return &Group{logs: logs, running: map[*Process]bool{}}, nil
}

// Logs returns the folder of the logs.
func (g *Group) Logs() string { return g.logs }

// Spec describes a process.
type Spec struct {
	// Name is the name of the process and of its log file.
	Name string
	Argv []string
	// Env is added to a minimal environment. The process does not inherit that of the
	// caller.
	Env []string
	// Cloneflags are the new namespaces of the process, such as CLONE_NEWNS.
	Cloneflags uintptr
	// Restart restarts the process whenever it exits, as systemd does.
	Restart bool
}

// Process is a process. With Spec.Restart it is one process after another.
type Process struct {
	spec Spec
	mu   sync.Mutex
	cmd  *exec.Cmd
	off  bool
	done chan struct{}
	code int
}

// Start starts a process.
func (g *Group) Start(spec Spec) (*Process, error) {
	p := &Process{spec: spec, done: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return nil, errors.New("the run is over")
	}
	if err := p.launch(g.logs); err != nil {
		return nil, err
	}
	g.running[p] = true
	go p.watch(g)
	return p, nil
}

func (p *Process) launch(logs string) error {
	log, err := os.OpenFile(filepath.Join(logs, p.spec.Name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("log of %s: %w", p.spec.Name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	cmd := exec.Command(p.spec.Argv[0], p.spec.Argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "GOMAXPROCS=4"}, p.spec.Env...)
	// With its own process group, the child does not receive Ctrl-C, so the harness can
	// stop the children in order. If the harness dies, the death signal kills them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true, Cloneflags: p.spec.Cloneflags}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.spec.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = cmd
	if p.off { // Stop was called in between
		_ = cmd.Process.Kill()
	}
	return nil
}

func (p *Process) watch(g *Group) {
	defer close(p.done)
	for {
		_ = p.cmd.Wait()
		p.mu.Lock()
		p.code = p.cmd.ProcessState.ExitCode()
		again := p.spec.Restart && !p.off
		p.mu.Unlock()
		if !again {
			break
		}
		time.Sleep(time.Second)
		if p.isOff() || p.launch(g.logs) != nil {
			break
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.running, p)
}

func (p *Process) isOff() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.off
}

// Done is closed when the process has ended for good.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode returns the exit code, or -1 if a signal ended the process. It is valid after
// Done is closed.
func (p *Process) ExitCode() int { return p.code }

// Pid returns the id of the process. After a restart it is another one.
func (p *Process) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// Crash kills the process with SIGKILL. With Spec.Restart the process restarts.
func (p *Process) Crash() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", p.spec.Name, err)
	}
	return nil
}

// Stop sends SIGTERM to the process, and waits until it exits. When the context is done,
// it kills the process.
func (p *Process) Stop(ctx context.Context) {
	p.mu.Lock()
	p.off = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.mu.Unlock()
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.Crash()
		<-p.done
	}
}

// Stop kills all processes at once. At the end of a run their state is not needed.
func (g *Group) Stop() {
	g.mu.Lock()
	g.stopping = true
	var all []*Process
	for p := range g.running {
		all = append(all, p)
	}
	g.mu.Unlock()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for _, p := range all {
		p.Stop(now)
	}
}
