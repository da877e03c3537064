package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"time"
)

// Binary runs the containers of an image as a real process in a root of its own,
// which holds the binary and the volumes and nothing else.
//
// All pods share the network of the node. A process that listens on all
// addresses would be in the way of others, and of Services; so it is told to
// listen on the address of its pod, and localhost is that address too.
type Binary struct {
	Path string
	// Args come before those of the container.
	Args []string
}

// ContainerArgument as first argument has a program call ContainerMain.
const ContainerArgument = "e2e-container"

// sandbox is what the process in the new mount namespace is told.
type sandbox struct {
	Root, Dir string
	Mounts    []bind
	Argv, Env []string
}

type bind struct {
	Source, Target string
	// Volume tells a part of a volume from what the harness itself provides.
	Volume bool
}

// Run implements Runner.
func (b Binary) Run(ctx context.Context, c *Container) int32 {
	code, err := b.run(ctx, c)
	if err != nil {
		_, _ = fmt.Fprintf(c.Log, "e2e: %v\n", err)
		return 128
	}
	return code
}

func (b Binary) run(ctx context.Context, c *Container) (int32, error) {
	file := filepath.Join(c.dir, "sandbox-"+c.Name+".json")
	text, err := json.Marshal(b.sandbox(c))
	if err != nil {
		return 0, fmt.Errorf("describe the sandbox: %w", err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return 0, fmt.Errorf("describe the sandbox: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "hosts"), []byte(c.IP+" localhost\n"), 0o644); err != nil {
		return 0, fmt.Errorf("hosts of the pod: %w", err)
	}
	cmd := exec.Command("/proc/self/exe", ContainerArgument, file)
	cmd.Stdout, cmd.Stderr, cmd.Env = c.Log, c.Log, []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		if !errors.Is(context.Cause(ctx), errCrash) {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-done:
			case <-time.After(time.Duration(min(c.grace(), 10)) * time.Second):
			}
		}
		_ = cmd.Process.Kill()
		<-done
	}
	return int32(cmd.ProcessState.ExitCode()), nil
}

func (b Binary) sandbox(c *Container) sandbox {
	name := "/bin/" + filepath.Base(b.Path)
	s := sandbox{Root: filepath.Join(c.dir, "root-"+c.Name), Dir: c.WorkingDir, Argv: []string{name}, Mounts: []bind{
		{Source: b.Path, Target: name},
		{Source: filepath.Join(c.etc, "resolv.conf"), Target: "/etc/resolv.conf"},
		{Source: filepath.Join(c.dir, "hosts"), Target: "/etc/hosts"},
		{Source: "/dev/null", Target: "/dev/null"},
		{Source: "/dev/urandom", Target: "/dev/urandom"},
		{Source: "/proc", Target: "/proc"},
	}}
	mounts := slices.Clone(c.VolumeMounts)
	sort.SliceStable(mounts, func(i, j int) bool { return len(mounts[i].MountPath) < len(mounts[j].MountPath) })
	for _, m := range mounts {
		s.Mounts = append(s.Mounts, bind{Source: filepath.Join(c.dir, "volumes", m.Name, m.SubPath), Target: m.MountPath, Volume: true})
	}
	for _, argument := range append(append([]string{}, b.Args...), c.Args...) {
		argument = strings.Replace(argument, "listen-address=:", "listen-address="+c.IP+":", 1)
		s.Argv = append(s.Argv, expand(argument, c.Environment))
	}
	for key, value := range c.Environment {
		s.Env = append(s.Env, key+"="+value)
	}
	return s
}

// WriteResolver writes the resolv.conf that all containers share.
func WriteResolver(dir, nameserver string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder of pods: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte("nameserver "+nameserver+"\noptions ndots:1\n"), 0o644); err != nil {
		return fmt.Errorf("resolv.conf of containers: %w", err)
	}
	return nil
}

// ContainerMain turns this process into the container that the file describes.
// It returns only where that fails.
func ContainerMain(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	var s sandbox
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leave the mounts of the host: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(s.Root, "tmp"), 0o1777); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	for _, m := range s.Mounts {
		if err := m.mount(s.Root); err != nil {
			return err
		}
	}
	if err := syscall.Chroot(s.Root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if s.Dir == "" {
		s.Dir = "/"
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	if err := os.Chdir(s.Dir); err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	return fmt.Errorf("run %v: %w", s.Argv, syscall.Exec(s.Argv[0], s.Argv, s.Env))
}

func (b bind) mount(root string) error {
	target := filepath.Join(root, b.Target)
	info, err := os.Stat(b.Source)
	if os.IsNotExist(err) && b.Volume { // a folder in an emptyDir that nobody has made yet
		if err = os.MkdirAll(b.Source, 0o755); err == nil {
			info, err = os.Stat(b.Source)
		}
	}
	if err != nil {
		return fmt.Errorf("mount %s: %w", b.Target, err)
	}
	if info.IsDir() {
		err = os.MkdirAll(target, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(target), 0o755); err == nil {
		var file *os.File
		if file, err = os.OpenFile(target, os.O_CREATE, 0o644); err == nil {
			err = file.Close()
		} else if os.IsExist(err) || os.IsPermission(err) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("mount %s: %w", b.Target, err)
	}
	if err := syscall.Mount(b.Source, target, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", b.Source, b.Target, err)
	}
	return nil
}
