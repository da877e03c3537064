package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// epoch is the time of all files, so that the same files give the same archive. A zip cannot
// have an earlier one.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// A file is a file of an archive.
type file struct {
	path string
	mode fs.FileMode
	data []byte
}

// filesBelow returns the files in a folder and the folders in it, in the order of their paths.
func filesBelow(folder string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		f, err := readFile(path, filepath.ToSlash(relative))
		files = append(files, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading files: %w", err)
	}
	return files, nil
}

// readFile reads a file for an archive. Its mode does not depend on the umask.
func readFile(path, name string) (file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return file{}, err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	data, err := os.ReadFile(path)
	return file{name, mode, data}, err
}

// archive returns files as a zip or, if the name does not end with .zip, as a compressed tar.
func archive(name string, files []file) ([]byte, error) {
	var out bytes.Buffer
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	var err error
	if strings.HasSuffix(name, ".zip") {
		err = writeZip(&out, files)
	} else {
		err = writeTar(&out, gzip.Header{OS: 255}, files) // 255 is an unknown system
	}
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", name, err)
	}
	return out.Bytes(), nil
}

func writeTar(w io.Writer, header gzip.Header, files []file) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	compressed.Header = header
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: int64(f.mode), Size: int64(len(f.data)), ModTime: epoch})
		if err != nil {
			return err
		}
		if _, err := archive.Write(f.data); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}

func writeZip(w io.Writer, files []file) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.path, Method: zip.Deflate, Modified: epoch}
		header.SetMode(f.mode)
		entry, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(f.data); err != nil {
			return err
		}
	}
	return archive.Close()
}

// unpack returns the files of an archive, and the header of its compression if it is a tar.
func unpack(name string, data []byte) ([]file, gzip.Header, error) {
	var files []file
	if strings.HasSuffix(name, ".zip") {
		archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return nil, gzip.Header{}, fmt.Errorf("reading %s: %w", name, err)
		}
		for _, entry := range archive.File {
			content, err := fs.ReadFile(archive, entry.Name)
			if err != nil {
				return nil, gzip.Header{}, fmt.Errorf("reading %s: %w", name, err)
			}
			files = append(files, file{entry.Name, entry.Mode(), content})
		}
		return files, gzip.Header{}, nil
	}
	compressed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, gzip.Header{}, fmt.Errorf("reading %s: %w", name, err)
	}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, compressed.Header, nil
		}
		if err != nil {
			return nil, gzip.Header{}, fmt.Errorf("reading %s: %w", name, err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, gzip.Header{}, fmt.Errorf("reading %s: %w", name, err)
		}
		files = append(files, file{header.Name, header.FileInfo().Mode().Perm(), content})
	}
}
