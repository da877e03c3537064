package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// stage writes files under temporary names, beside the files that they replace.
type stage struct {
	folder    string
	templates []string            // in the order of open
	files     map[string]*os.File // by template
}

// open returns the temporary file of a template, which it creates on the first call.
func (s *stage) open(template string) (io.Writer, error) {
	if file := s.files[template]; file != nil {
		return file, nil
	}
	target := s.target(template)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(target); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", target)
	}
	file, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return nil, err
	}
	s.templates = append(s.templates, template)
	s.files[template] = file
	return file, nil
}

// target returns the final name of the file of a template.
func (s *stage) target(template string) string {
	return filepath.Join(s.folder, filepath.FromSlash(template))
}

// commit renames all files to their final names, after all of them are written.
func (s *stage) commit(out io.Writer) error {
	for _, file := range s.files {
		if err := errors.Join(file.Chmod(0o644), file.Close()); err != nil {
			return err
		}
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
