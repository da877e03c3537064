package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/triton-leases/tms/pkg/render"
)

// outputFolder is the directory of --output-dir.
type outputFolder struct {
	path string
	// prune removes stale files even if no template renders anything.
	prune bool
}

// write writes one file for each template, as helm template --output-dir does. It writes
// all files under temporary names before it renames them, so that an error or the end of
// ctx leaves the existing files unchanged. It removes the file of a template that no longer
// renders anything: applying the folder would create its objects again. It returns the stale
// files that it keeps because no template renders anything.
func (o outputFolder) write(ctx context.Context, result *render.Result, out io.Writer) (kept []string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("--output-dir: %w", err)
		}
	}()
	unlock, err := lock(o.path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := o.remove(result.Chart, isTemporary, out); err != nil {
		return nil, err
	}
	stage := stage{ctx: ctx, folder: o.path, files: map[string]*os.File{}}
	defer func() { err = errors.Join(err, stage.discard()) }()
	if err := result.WriteEach(stage.open); err != nil {
		return nil, err
	}
	if err := stage.commit(out); err != nil {
		return nil, err
	}
	isStale := func(file, template string) bool {
		return !slices.Contains(stage.templates, template) && writtenFor(file, template)
	}
	if len(stage.templates) == 0 && !o.prune {
		return o.find(result.Chart, isStale)
	}
	return nil, o.remove(result.Chart, isStale, out)
}

// find returns the files of the chart's folder that match. A file has the name of the
// template that it was written for, if it was written by tms-render.
func (o outputFolder) find(chart string, match func(file, template string) bool) ([]string, error) {
	var found []string
	err := filepath.WalkDir(filepath.Join(o.path, chart), func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(o.path, file)
		if err == nil && match(file, filepath.ToSlash(relative)) {
			found = append(found, file)
		}
		return err
	})
	return found, err
}

// remove removes the files of the chart's folder that match.
func (o outputFolder) remove(chart string, match func(file, template string) bool, out io.Writer) error {
	found, err := o.find(chart, match)
	if err != nil {
		return err
	}
	for _, file := range found {
		if err := os.Remove(file); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "removed %s\n", file)
	}
	return nil
}

// writtenFor reports whether a file begins with the lines that write writes for a template.
func writtenFor(name, template string) bool {
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	wanted := "---\n# Source: " + template + "\n"
	begin := make([]byte, len(wanted))
	_, err = io.ReadFull(file, begin)
	return err == nil && string(begin) == wanted
}
