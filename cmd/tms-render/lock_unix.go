//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock locks a folder, which it creates, for this process: another run would remove its
// temporary files. The kernel releases the lock of a process that is killed. A file system
// without locks is not an error.
func lock(folder string) (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	file, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	unlock = func() { _ = file.Close() }
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		unlock()
		return nil, fmt.Errorf("another tms-render writes to %s: run this one again when it has finished", folder)
	}
	return unlock, nil
}
