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
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/limitread"
	"github.com/triton-leases/tms/internal/preview"
	"github.com/triton-leases/tms/internal/valuesfile"
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
	// positions are those of the sources, once they are asked for.
	positions []*valuesfile.Positions
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
	var found []error
	for _, name := range o.files {
		text, err := readFile(name, stdin)
		if len(text) > largeInput {
			collect.ForLargeInput()
		}
		if err == nil {
			err = in.add(name, text)
		}
		found = append(found, err)
	}
	found = append(found, in.apply(o.set))
	if err := joined(found); err != nil {
		return nil, err
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
		var found []error
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
				found = append(found, err, encodeErr)
				in.sources = append(in.sources, valueSource{"--" + string(setter), text})
			}
		}
		return joined(found)
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

// standardInput is the source of an error of reading standard input.
const standardInput = "standard input"

func readFile(name string, stdin io.Reader) ([]byte, error) {
	const split = "split it, and give each part with -f"
	fail := func(err error) ([]byte, error) { return nil, problem{source: name, rule: "unreadable", err: err} }
	if name == "-" {
		name = standardInput
		text, err := limitread.All(stdin, limitread.Values)
		if errors.Is(err, limitread.ErrTooLarge) {
			return fail(fmt.Errorf("%w: write it to files, %s", err, split))
		}
		if err != nil {
			return fail(err)
		}
		return text, nil
	}
	text, err := limitread.File(name, limitread.Values)
	if err == nil {
		return text, nil
	}
	if errors.Is(err, limitread.ErrTooLarge) {
		return fail(fmt.Errorf("%w: %s", errors.Unwrap(err), split))
	}
	if strings.Contains(name, "://") {
		return fail(errors.New("tms-render works offline: download the file and give its name"))
	}
	if info, statErr := os.Stat(name); statErr == nil && info.IsDir() {
		return fail(errors.New("is a directory: give each values file in it with -f"))
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fail(err)
}

// inFile adds the name of the file, and the position in it, to each syntax error.
func inFile(name string, err error) error {
	if err == nil {
		return nil
	}
	var wrong valuesfile.SyntaxErrors
	if !errors.As(err, &wrong) {
		return problem{source: name, rule: syntaxRule, err: err}
	}
	found := make(problems, len(wrong))
	for i, one := range wrong {
		found[i] = problem{source: name, line: one.Line, column: max(one.Column, 1), rule: syntaxRule, err: errors.New(one.Message)}
	}
	return found
}

const syntaxRule = "syntax"
