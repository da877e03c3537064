package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// ContainerMain turns this process into the container that a file describes. It
// returns only if that fails.
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
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := syscall.Sethostname([]byte(s.Hostname)); err != nil {
		return fmt.Errorf("hostname: %w", err)
	}
	if err := s.fill(); err != nil {
		return err
	}
	if err := syscall.Chroot(s.Root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir(s.Dir); err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	if err := setUser(s.User); err != nil {
		return err
	}
	return fmt.Errorf("run %v: %w", s.Argv, syscall.Exec(s.Argv[0], s.Argv, s.Env))
}

// fill creates the root filesystem of the container.
func (s *sandbox) fill() error {
	if s.Dir == "" {
		s.Dir = "/"
	}
	if err := os.MkdirAll(filepath.Join(s.Root, s.Dir), 0o755); err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	if !s.ReadOnly { // a read-only root has no /tmp, because the image has none
		if err := makeShared(filepath.Join(s.Root, "tmp")); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
	} else if err := syscall.Mount(s.Root, s.Root, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	for _, m := range s.Mounts {
		if err := m.mount(s.Root); err != nil {
			return err
		}
	}
	if s.ReadOnly { // mounts below the root, such as volumes, are not affected
		var root syscall.Statfs_t
		if err := syscall.Statfs(s.Root, &root); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		// In a user namespace, a remount must keep these flags.
		kept := uintptr(root.Flags) & (syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC | syscall.MS_NOATIME | syscall.MS_NODIRATIME)
		if err := syscall.Mount("", s.Root, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY|kept, ""); err != nil {
			return fmt.Errorf("make the root read-only: %w", err)
		}
	}
	return nil
}

// setUser changes the user of this process. If the user namespace does not map the
// user, the container stays root.
func setUser(user int) error {
	if user == 0 {
		return nil
	}
	runtime.LockOSThread() // the parent death signal belongs to this thread, which executes the container
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(user), syscall.Setuid(user)); err != nil {
		if os.Geteuid() == 0 {
			return nil
		}
		return fmt.Errorf("set user %d: %w", user, err)
	}
	// The kernel clears the parent death signal when the user changes.
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); errno != 0 {
		return fmt.Errorf("set the parent death signal: %w", errno)
	}
	return nil
}

// makeShared creates a folder that every user can write to.
func makeShared(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o777|os.ModeSticky)
}

func (b bind) mount(root string) error {
	target := filepath.Join(root, b.Target)
	info, err := os.Stat(b.Source)
	if os.IsNotExist(err) && b.Volume { // a folder in an emptyDir that does not exist yet
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
