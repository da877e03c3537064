//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// ownedAlone refuses a file that somebody else may write, or may let themselves write.
func ownedAlone(info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others may write it: look at what is in it, and then chmod 600")
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && int(stat.Uid) != os.Getuid() {
		return errors.New("it is somebody else's")
	}
	return nil
}
