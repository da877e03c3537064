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
)

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
