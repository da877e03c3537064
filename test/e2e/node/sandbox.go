package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"

	"k8s.io/utils/ptr"
)

// Binary runs the containers of an image as a process with its own root, which
// contains only the binary and the volumes.
//
// All pods share the network of the node. Processes that listen on all addresses
// would conflict with each other and with Services. So Binary rewrites their flags to
// the address of the pod, and localhost resolves to that address.
type Binary struct {
	Path string
	// Args come before those of the container. Flags that the container sets are omitted.
	Args []string
	// Files are the other files of the image, by their paths in it.
	Files map[string]string
}

// Image returns the runner of an unpacked image: a folder with the files of the image.
// The entry point is a program at the top level of the folder.
func Image(folder, entrypoint string) (Binary, error) {
	b := Binary{Path: filepath.Join(folder, entrypoint), Files: map[string]string{}}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && path != b.Path {
			b.Files[strings.TrimPrefix(path, folder)] = path
		}
		return err
	})
	if err != nil {
		return b, fmt.Errorf("unpacked image: %w", err)
	}
	return b, nil
}

// ContainerArgument is the first argument with which a program must call ContainerMain.
const ContainerArgument = "e2e-container"

// sandbox describes a container to the process in the new mount namespace.
type sandbox struct {
	Root, Dir string
	Hostname  string
	Mounts    []bind
	Argv, Env []string
	// ReadOnly is readOnlyRootFilesystem; User is runAsUser.
	ReadOnly bool
	User     int
}

type bind struct {
	Source, Target string
	// Volume is set for the volumes of the pod.
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	c.process.Store(cmd.Process)
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		select {
		case <-c.Killed():
		default:
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-done:
			case <-c.Killed():
			}
		}
		_ = cmd.Process.Kill()
		<-done
	}
	return int32(cmd.ProcessState.ExitCode()), nil
}

func (b Binary) sandbox(c *Container) sandbox {
	name := "/bin/" + filepath.Base(b.Path)
	s := sandbox{Root: filepath.Join(c.dir, "root-"+c.Name), Dir: c.WorkingDir, Hostname: c.Pod.Name, Argv: []string{name}, Mounts: []bind{
		{Source: b.Path, Target: name},
		{Source: filepath.Join(c.etc, "resolv.conf"), Target: "/etc/resolv.conf"},
		{Source: filepath.Join(c.dir, "hosts"), Target: "/etc/hosts"},
		{Source: "/dev/null", Target: "/dev/null"},
		{Source: "/dev/urandom", Target: "/dev/urandom"},
		{Source: "/proc", Target: "/proc"},
	}}
	for target, source := range b.Files {
		s.Mounts = append(s.Mounts, bind{Source: source, Target: target})
	}
	if context := c.Pod.Spec.SecurityContext; context != nil {
		s.User = int(ptr.Deref(context.RunAsUser, 0))
	}
	if context := c.SecurityContext; context != nil {
		s.User = int(ptr.Deref(context.RunAsUser, int64(s.User)))
		s.ReadOnly = ptr.Deref(context.ReadOnlyRootFilesystem, false)
	}
	mounts := slices.Clone(c.VolumeMounts)
	sort.SliceStable(mounts, func(i, j int) bool { return len(mounts[i].MountPath) < len(mounts[j].MountPath) })
	for _, m := range mounts {
		s.Mounts = append(s.Mounts, bind{Source: filepath.Join(c.dir, "volumes", m.Name, m.SubPath), Target: m.MountPath, Volume: true})
	}
	own := slices.DeleteFunc(slices.Clone(b.Args), func(argument string) bool {
		flag, _, _ := strings.Cut(argument, "=")
		return slices.ContainsFunc(c.Args, func(other string) bool { return strings.HasPrefix(other, flag+"=") })
	})
	for _, argument := range append(own, c.Args...) {
		argument = strings.Replace(argument, "-address=:", "-address="+c.IP+":", 1)
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
