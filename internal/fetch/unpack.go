package fetch

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
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

// unpack unpacks an archive into an empty folder. The first bytes of the archive say its
// kind.
func unpack(ctx context.Context, archive *os.File, folder *os.Root, quota *quota, progress *modelProgress) error {
	info, err := archive.Stat()
	if err != nil {
		return err
	}
	progress.set(stateUnpacking, 0, info.Size())
	start := make([]byte, 512)
	n, err := archive.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	start = start[:n]
	u := &unpacker{ctx: ctx, root: folder, quota: quota}
	counted := &countedReader{file: archive, progress: progress, left: math.MaxInt64}
	content := contextReader{ctx, io.NewSectionReader(counted, 0, info.Size())}
	switch {
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return wrap("zip archive", u.zip(counted, info.Size()))
	case bytes.HasPrefix(start, []byte("\x1f\x8b")):
		unzipped, err := gzip.NewReader(content)
		if err != nil {
			return wrap("gzip file", err)
		}
		return wrap("tar.gz archive", u.tar(unzipped))
	case n == 512 && bytes.Equal(start[257:262], []byte("ustar")):
		return wrap("tar archive", u.tar(content))
	}
	return fmt.Errorf("the file is no archive of a model (it looks like %s): it must be a zip, tar or tar.gz archive", http.DetectContentType(start))
}

func wrap(kind string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", kind, err)
}

// countedReader reads a file, and counts what it reads.
type countedReader struct {
	file     io.ReaderAt
	progress *modelProgress
	left     int64 // bytes that may be read
}

var errDirectory = fmt.Errorf("the directory of the archive has more than %d MiB", longestDirectory>>20)

func (r *countedReader) ReadAt(buffer []byte, offset int64) (int, error) {
	if int64(len(buffer)) > r.left {
		return 0, errDirectory
	}
	n, err := r.file.ReadAt(buffer, offset)
	r.left -= int64(n)
	r.progress.add(n)
	return n, err
}

func (u *unpacker) zip(archive *countedReader, size int64) error {
	archive.left = longestDirectory
	reader, err := zip.NewReader(archive, size)
	if err != nil {
		return err
	}
	archive.left = math.MaxInt64
	for _, file := range reader.File {
		if err := u.zipEntry(file); err != nil {
			return fmt.Errorf("%s: %w", short(file.Name), err)
		}
	}
	return nil
}

func (u *unpacker) zipEntry(file *zip.File) error {
	name, err := clean(file.Name)
	if err != nil {
		return err
	}
	mode := file.Mode()
	switch {
	case file.Flags&1 != 0:
		return errors.New("is encrypted: the archive must not have a password")
	case mode.IsDir():
		return u.folder(name)
	case !mode.IsRegular() && mode.Type() != fs.ModeSymlink:
		return errSpecial
	}
	content, err := file.Open()
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	if mode.IsRegular() {
		return u.file(name, mode, content)
	}
	target, err := io.ReadAll(io.LimitReader(content, longestPath+1))
	if err != nil {
		return err
	}
	return u.symlink(name, string(target))
}

func (u *unpacker) tar(content io.Reader) error {
	reader := tar.NewReader(content)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := u.tarEntry(header, reader); err != nil {
			return fmt.Errorf("%s: %w", short(header.Name), err)
		}
	}
}

func (u *unpacker) tarEntry(header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeXGlobalHeader { // git archive
		return nil
	}
	name, err := clean(header.Name)
	if err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(name, header.FileInfo().Mode(), content)
	case tar.TypeDir:
		return u.folder(name)
	case tar.TypeSymlink:
		return u.symlink(name, header.Linkname)
	case tar.TypeLink:
		return u.link(name, header.Linkname)
	}
	return errSpecial
}

var errSpecial = errors.New("is a device, a pipe, a socket or another special file: only files, folders and links are allowed")

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
