package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

const (
	// longestName is the longest name of a file on the file systems of Linux, in bytes.
	longestName = 255
	// longestPath leaves space for the folder of the models in the 4095 bytes of Linux.
	longestPath = 3072
	// longestDirectory limits the directory of a zip archive, which is read into memory. It
	// has space for 100,000 files whose paths have 280 bytes.
	longestDirectory = 32 << 20
)

// unpacker writes the entries of an archive into a folder. It trusts no header: it charges
// what it writes. os.Root keeps it in the folder.
type unpacker struct {
	ctx   context.Context
	root  *os.Root
	quota *quota
}

// short returns a name for a message.
func short(name string) string {
	const most = 100
	if len(name) > most {
		return fmt.Sprintf("%q…", name[:most])
	}
	return fmt.Sprintf("%q", name)
}

// clean returns the path of an entry in the folder. It refuses a path that is not in it.
func clean(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("the name is empty")
	case strings.ContainsRune(name, 0):
		return "", errors.New("the name holds a NUL")
	case path.IsAbs(name):
		return "", errors.New("the path is absolute: it must be relative to the root of the archive")
	case len(name) > longestPath:
		return "", fmt.Errorf("the path has more than %d bytes", longestPath)
	}
	for _, segment := range strings.Split(name, "/") {
		if segment == ".." {
			return "", errors.New("the path holds a .. segment")
		}
		if len(segment) > longestName {
			return "", fmt.Errorf("the name has more than %d bytes", longestName)
		}
	}
	return path.Clean(name), nil
}

// folder creates a folder and its parents.
func (u *unpacker) folder(name string) error {
	if name == "." {
		return nil
	}
	for i := 1; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		parent := name[:i]
		info, err := u.root.Lstat(parent)
		switch {
		case err == nil && info.IsDir():
			continue
		case err == nil: // also a link, so that nothing is written through it
			return fmt.Errorf("%s is not a folder", short(parent))
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := u.quota.charge(0, 1); err != nil {
			return err
		}
		if err := u.root.Mkdir(parent, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// add prepares the folder for a file or link.
func (u *unpacker) add(name string, bytes int64) error {
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	if _, err := u.root.Lstat(name); err == nil {
		return errors.New("is in the archive twice")
	}
	return u.quota.charge(bytes, 1)
}

// file writes a file. Of its mode only the executable bit matters.
func (u *unpacker) file(name string, mode fs.FileMode, content io.Reader) (err error) {
	if err := u.add(name, 0); err != nil {
		return err
	}
	permissions := fs.FileMode(0o644)
	if mode&0o111 != 0 {
		permissions = 0o755
	}
	file, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, permissions)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := io.Copy(chargedWriter{file, u.quota}, contextReader{u.ctx, content}); err != nil {
		return err
	}
	return file.Chmod(permissions) // whatever the umask is
}

// chargedWriter charges what it writes.
type chargedWriter struct {
	file  io.Writer
	quota *quota
}

func (w chargedWriter) Write(text []byte) (int, error) {
	if err := w.quota.charge(int64(len(text)), 0); err != nil {
		return 0, err
	}
	return w.file.Write(text)
}

// symlink creates a symbolic link. checkTree decides whether its target is allowed, because
// the target may come later in the archive.
func (u *unpacker) symlink(name, target string) error {
	if target == "" || path.IsAbs(target) || len(target) > longestPath || strings.ContainsRune(target, 0) {
		return fmt.Errorf("is a link to %s: its target must be a relative path", short(target))
	}
	if err := u.add(name, int64(len(target))); err != nil {
		return err
	}
	return u.root.Symlink(target, name)
}

// link creates a hard link to an earlier file. It charges the size of the file again: a
// copy of the model may have no hard links.
func (u *unpacker) link(name, target string) error {
	from, err := clean(target)
	if err != nil {
		return fmt.Errorf("is a link to %s: %w", short(target), err)
	}
	info, err := u.root.Lstat(from)
	if err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("is a hard link to %s: its target must be an earlier file of the archive", short(target))
	}
	if err := u.add(name, info.Size()); err != nil {
		return err
	}
	return u.root.Link(from, name)
}
