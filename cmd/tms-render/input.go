package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/cmd/tms-render/internal/collect"
	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/fieldpath"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/limitread"
	"github.com/triton-leases/tms/internal/preview"
	"github.com/triton-leases/tms/internal/valuesfile"
	"github.com/triton-leases/tms/pkg/policy"
	"github.com/triton-leases/tms/pkg/render"
)

// input is the input of one command line: merged values, and TritonLeases.
type input struct {
	render.Input
	// manifests are TritonLeases. If a file holds manifests, they are rendered instead of
	// the leases of the values.
	manifests    []*preview.Manifest
	hasManifests bool
	// sources are the values files and the flags that set values, lowest precedence
	// first. Errors name the source that sets a key.
	sources []valueSource
	// files are the names of all files, in the order of the command line.
	files []string
}

// valueSource is one values file, or one flag that sets values.
type valueSource struct {
	name string
	text []byte
}

// largeInput is the size in bytes of a values file with about a thousand leases.
const largeInput = 256 << 10

// read reads and merges the values as helm does. The error names every file that cannot
// be read.
func (o *valueOptions) read(stdin io.Reader) (*input, error) {
	in := new(input)
	var problems []error
	for _, name := range o.files {
		text, err := readFile(name, stdin)
		if len(text) > largeInput {
			collect.ForLargeInput()
		}
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
	if len(o.leases) > 0 && !in.hasManifests {
		if err := in.Only(o.leases...); err != nil {
			return nil, fmt.Errorf("--lease: %w", err)
		}
	}
	return in, nil
}

// add adds a file, which holds values or manifests.
func (in *input) add(name string, text []byte) error {
	in.files = append(in.files, name)
	err := in.Add(text)
	if errors.Is(err, valuesfile.ErrManifests) {
		var manifests []*preview.Manifest
		manifests, err = preview.Read(len(in.files)-1, text)
		in.manifests, in.hasManifests = append(in.manifests, manifests...), true
		return inFile(name, err)
	}
	if err == nil {
		in.sources = append(in.sources, valueSource{name, text})
	}
	return inFile(name, err)
}

// apply sets the values of each --set, and records them as a source.
func (in *input) apply(set map[helmchart.Setter]*[]string) error {
	change := func(values map[string]any) error {
		var problems []error
		for _, setter := range helmchart.Setters() {
			for _, argument := range *set[setter] {
				alone := map[string]any{}
				err := setter.Apply(values, argument, readSetFile)
				if err == nil {
					err = setter.Apply(alone, argument, readSetFile)
				}
				if errors.Is(err, helmchart.ErrNoFileName) {
					err = cli.UsageError{Reason: err}
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

// readSetFile reads a file of --set-file.
func readSetFile(name string) ([]byte, error) { return limitread.File(name, limitread.Values) }

func readFile(name string, stdin io.Reader) ([]byte, error) {
	const split = "split it, and give each part with -f"
	if name == "-" {
		text, err := limitread.All(stdin, limitread.Values)
		if errors.Is(err, limitread.ErrTooLarge) {
			return nil, fmt.Errorf("standard input: %w: write it to files, %s", err, split)
		}
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return text, nil
	}
	text, err := limitread.File(name, limitread.Values)
	if err == nil {
		return text, nil
	}
	if errors.Is(err, limitread.ErrTooLarge) {
		return nil, fmt.Errorf("%s: %w: %s", name, errors.Unwrap(err), split)
	}
	if strings.Contains(name, "://") {
		return nil, fmt.Errorf("%s: tms-render works offline: download the file and give its name", name)
	}
	if info, statErr := os.Stat(name); statErr == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: is a directory: give each values file in it with -f", name)
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

// inFile prefixes each syntax error with the name of the file and the position in it.
func inFile(name string, err error) error {
	if err == nil {
		return nil
	}
	var problems valuesfile.SyntaxErrors
	if !errors.As(err, &problems) {
		return fmt.Errorf("%s: %w", name, err)
	}
	lines := make([]error, len(problems))
	for i, problem := range problems {
		position := name
		if problem.Line > 0 {
			position = fmt.Sprintf("%s:%d:%d", name, problem.Line, max(problem.Column, 1))
		}
		lines[i] = fmt.Errorf("%s: %s", position, problem.Message)
	}
	return errors.Join(lines...)
}

// withPositions adds the file and the line to each reason of a refusal.
func (in *input) withPositions(err error) error {
	reasons := policy.Reasons(err)
	var ofLeases preview.Refusals
	errors.As(err, &ofLeases)
	switch {
	case errors.Is(err, render.ErrNoLease):
		return fmt.Errorf("--lease: %w", err)
	case len(reasons) == 0 && len(ofLeases) == 0:
		return err
	}
	lines := in.positionsInValues(reasons)
	for _, one := range ofLeases {
		lines = append(lines, fmt.Errorf("%s:%d:%d: %w", in.files[one.File], one.Line, one.Column, one))
	}
	return errors.Join(lines...)
}

// positionsInValues adds the source and the line to each reason why values are refused.
func (in *input) positionsInValues(reasons policy.Refusal) []error {
	if len(reasons) == 0 {
		return nil
	}
	positions := make([]*valuesfile.Positions, len(in.sources))
	for i, s := range in.sources {
		positions[i] = valuesfile.Index(s.text)
	}
	lines := make([]error, len(reasons))
	for i, reason := range reasons {
		name, line := in.origin(positions, fieldpath.Parse(reason.Field))
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

// origin returns the name of the source that has the longest prefix of a path, the last one
// if several have it, and the line in that source. The name is "" if no source has a prefix:
// the value is a default of the chart. The line is 0 in a flag.
func (in *input) origin(positions []*valuesfile.Positions, path fieldpath.Path) (name string, line int) {
	deepest := 0
	for i, s := range in.sources {
		at, _, depth := positions[i].Locate(path)
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
