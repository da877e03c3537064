package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/source"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// input is what the command line gave: the sources of values, from the weakest to
// the strongest, all of them laid over each other, and the TritonLeases.
type input struct {
	render.Input
	sources []valueSource
	// files are the names of all files, of values or of manifests.
	files []string
}

// valueSource is one values file or one --set.
type valueSource struct {
	name string
	text []byte
}

// read reads and merges the values as helm does. All files that cannot be read
// are reported at once.
func (o *valueOptions) read(stdin io.Reader) (*input, error) {
	in := new(input)
	var problems []error
	for _, name := range o.files {
		text, err := readFile(name, stdin)
		if err == nil {
			err = in.add(name, text)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	if err := in.apply(o.set); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if len(o.leases) > 0 {
		if err := in.Only(o.leases...); err != nil {
			return nil, fmt.Errorf("--lease: %w", err)
		}
	}
	return in, nil
}

func (in *input) add(name string, text []byte) error {
	in.files = append(in.files, name)
	leases := in.TritonLeases()
	err := inFile(name, in.Add(text))
	if err == nil && in.TritonLeases() == leases {
		in.sources = append(in.sources, valueSource{name, text})
	}
	return err
}

// apply sets what each --set says, and keeps it apart to know later what it said.
func (in *input) apply(set map[helmchart.Setter]*[]string) error {
	change := func(values map[string]any) error {
		var problems []error
		for _, setter := range helmchart.Setters() {
			for _, argument := range *set[setter] {
				alone := map[string]any{}
				err := setter.Apply(values, argument, os.ReadFile)
				if err == nil {
					err = setter.Apply(alone, argument, os.ReadFile)
				}
				text, encodeErr := yaml.Marshal(alone)
				problems = append(problems, err, encodeErr)
				in.sources = append(in.sources, valueSource{"--" + string(setter), text})
			}
		}
		return errors.Join(problems...)
	}
	for _, arguments := range set {
		if len(*arguments) > 0 {
			return in.Change(change)
		}
	}
	return nil
}

func readFile(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return text, nil
	}
	text, err := os.ReadFile(name)
	if err == nil {
		return text, nil
	}
	if strings.Contains(name, "://") {
		return nil, fmt.Errorf("%s: tms-render works offline: download the file and give its name", name)
	}
	if info, statErr := os.Stat(name); statErr == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: is a directory: give the values files in it, each with -f", name)
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

// inFile puts the name of the file, and the place in it, before each syntax error.
func inFile(name string, err error) error {
	if err == nil {
		return nil
	}
	var problems source.SyntaxErrors
	if !errors.As(err, &problems) {
		return fmt.Errorf("%s: %w", name, err)
	}
	lines := make([]error, len(problems))
	for i, problem := range problems {
		place := name
		if problem.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", name, problem.Line, max(problem.Column, 1))
		}
		lines[i] = fmt.Errorf("%s: %s", place, problem.Message)
	}
	return errors.Join(lines...)
}

// explain names the file, and its line, of each reason of a refusal.
func (in *input) explain(err error) error {
	var refusal policy.Refusal
	var ofLeases render.Refusals
	errors.As(err, &ofLeases)
	switch {
	case errors.Is(err, render.ErrNoLease):
		return fmt.Errorf("--lease: %w", err)
	case !errors.As(err, &refusal) && len(ofLeases) == 0:
		return err
	}
	lines := in.inValues(refusal)
	for _, one := range ofLeases {
		lines = append(lines, fmt.Errorf("%s:%d:%d: %w", in.files[one.File], one.Line, one.Column, one))
	}
	return errors.Join(lines...)
}

// inValues names the file, and its line, of each reason against values.
func (in *input) inValues(refusal policy.Refusal) []error {
	if len(refusal) == 0 {
		return nil
	}
	positions := make([]*source.Positions, len(in.sources))
	for i, s := range in.sources {
		positions[i] = source.Index(s.text)
	}
	lines := make([]error, len(refusal))
	for i, reason := range refusal {
		name, line := in.origin(positions, reason.Field)
		switch {
		case name == "":
			lines[i] = reason
		case line == 0:
			lines[i] = fmt.Errorf("%s: %w", name, reason)
		default:
			lines[i] = fmt.Errorf("%s: %w (line %d)", name, reason, line)
		}
	}
	return lines
}

// origin returns which source says most of a path, the strongest of several;
// none where the values come from the chart alone.
func (in *input) origin(positions []*source.Positions, path string) (name string, line int) {
	deepest := 0
	for i, s := range in.sources {
		at, depth := positions[i].Locate(path)
		if depth == 0 || depth < deepest {
			continue
		}
		deepest, name, line = depth, s.name, at
		if strings.HasPrefix(name, "--") {
			line = 0
		}
	}
	return name, line
}
