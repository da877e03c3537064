package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
)

// stage writes files under temporary names, beside the files that they replace.
type stage struct {
	ctx       context.Context // its end stops the writing, but not commit
	folder    string
	templates []string            // in the order of open
	files     map[string]*os.File // by template
}

// temporaryName matches the names of the temporary files of open. No other program uses
// them, and kubectl does not apply them.
var temporaryName = regexp.MustCompile(`^\..+\.[0-9]+\.tms-render$`)

// isTemporary reports whether a file is a temporary file of a run that was killed.
func isTemporary(file, _ string) bool { return temporaryName.MatchString(filepath.Base(file)) }

// errInterrupted ends a run that receives a signal before commit.
var errInterrupted = errors.New("interrupted: no file changed")

// open returns a writer to the temporary file of a template, which it creates on the first
// call.
func (s *stage) open(template string) (io.Writer, error) {
	if file := s.files[template]; file != nil {
		return interruptible{s.ctx, file}, nil
	}
	target := s.target(template)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(target); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", target)
	}
	file, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*.tms-render")
	if err != nil {
		return nil, err
	}
	s.templates = append(s.templates, template)
	s.files[template] = file
	return interruptible{s.ctx, file}, nil
}

// interruptible is a writer that fails after the end of a context.
type interruptible struct {
	ctx context.Context
	w   io.Writer
}

func (i interruptible) Write(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, errInterrupted
	}
	return i.w.Write(p)
}

// target returns the final name of the file of a template.
func (s *stage) target(template string) string {
	return filepath.Join(s.folder, filepath.FromSlash(template))
}

// commit renames all files to their final names, after all of them are on the disk: a
// renamed file never has less than its whole content, even after a power failure.
func (s *stage) commit(out io.Writer) error {
	for _, file := range s.files {
		if err := errors.Join(file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	if s.ctx.Err() != nil {
		return errInterrupted
	}
	for _, template := range s.templates {
		if err := os.Rename(s.files[template].Name(), s.target(template)); err != nil {
			return err
		}
		delete(s.files, template)
	}
	for _, template := range s.templates {
		_, _ = fmt.Fprintf(out, "wrote %s\n", s.target(template))
	}
	return nil
}

// discard removes the files that commit did not rename.
func (s *stage) discard() error {
	var problems []error
	for _, file := range s.files {
		_ = file.Close() // it may be closed already
		problems = append(problems, os.Remove(file.Name()))
	}
	return errors.Join(problems...)
}
