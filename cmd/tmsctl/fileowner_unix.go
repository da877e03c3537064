//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// checkOwner returns an error if users other than root and the current one own the file
// or can write to it.
func checkOwner(info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("other users can write to the file: check its content, then run chmod 600")
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && int(stat.Uid) != os.Getuid() {
		return errors.New("the file belongs to another user")
	}
	return nil
}
