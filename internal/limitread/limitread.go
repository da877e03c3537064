// Package limitread reads whole files of a limited size.
package limitread

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	// Values is the largest file of values or TritonLeases in bytes. 100,000 leases
	// like those of examples/fleet.yaml have about 30 MB.
	Values = 256 << 20
	// Config is the largest file in bytes that configures a process: the values of
	// tms-server, a file of a chart, saved targets, a token, or certificates. A ConfigMap
	// has at most 1 MiB.
	Config = 16 << 20
)

// ErrTooLarge is the error for an input that is larger than its limit.
var ErrTooLarge = errors.New("too large")

// File reads a file of at most maximum bytes.
func File(name string, maximum int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return readAndClose(file, name, maximum)
}

// FileFS reads a file of a file system as File does.
func FileFS(folder fs.FS, name string, maximum int64) ([]byte, error) {
	file, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	return readAndClose(file, name, maximum)
}

// readAndClose reads a file as File does, and closes it.
func readAndClose(file fs.File, name string, maximum int64) ([]byte, error) {
	defer func() { _ = file.Close() }()
	text, err := All(file, maximum)
	if err != nil && !errors.As(err, new(*fs.PathError)) {
		err = &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return text, err
}

// All reads r, which has at most maximum bytes. It stops after one byte more, so r may be
// endless.
func All(r io.Reader, maximum int64) ([]byte, error) {
	var text bytes.Buffer
	if file, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			text.Grow(int(min(info.Size(), maximum)) + bytes.MinRead)
		}
	}
	_, err := text.ReadFrom(io.LimitReader(r, maximum+1))
	switch {
	case err != nil:
		return nil, err
	case int64(text.Len()) > maximum:
		return nil, fmt.Errorf("%w: must not exceed %d MiB", ErrTooLarge, maximum>>20)
	default:
		return text.Bytes(), nil
	}
}
