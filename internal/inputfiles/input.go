package inputfiles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/helmchart"
	"github.com/triton-leases/tms/internal/limitread"
	"github.com/triton-leases/tms/internal/preview"
	"github.com/triton-leases/tms/internal/valuesfile"
	"github.com/triton-leases/tms/pkg/render"
)

// Input is the input of one command line: merged values, and TritonLeases.
type Input struct {
	render.Input
	// Manifests are TritonLeases. If a file contains manifests, they are rendered instead of
	// the leases in the values.
	Manifests    []*preview.Manifest
	HasManifests bool
	// Sources are the values files and the flags that set values, lowest precedence
	// first. Errors name the source that sets a key.
	Sources []Source
	// positions are the positions of the keys in Sources. Origin fills them.
	positions []*valuesfile.Positions
	// Files are the names of all files, in the order of the command line.
	Files []string
}

// Source is one values file, or one flag that sets values.
type Source struct {
	Name string
	Text []byte
}

// Read reads and merges the values as helm does. The error names every file that cannot
// be read.
func (f *Flags) Read(stdin io.Reader) (*Input, error) {
	in := new(Input)
	var found []error
	for _, name := range f.Files {
		text, err := ReadFile(name, stdin)
		if f.OnFile != nil {
			f.OnFile(len(text))
		}
		if err == nil {
			err = in.add(name, text)
		}
		found = append(found, err)
	}
	found = append(found, in.apply(f.set))
	if err := Joined(found); err != nil {
		return nil, err
	}
	if len(f.Leases) > 0 && !in.HasManifests {
		if err := in.Only(f.Leases...); err != nil {
			return nil, fmt.Errorf("--lease: %w", err)
		}
	}
	return in, nil
}

// add adds a file of values or of manifests.
func (in *Input) add(name string, text []byte) error {
	in.Files = append(in.Files, name)
	err := in.Add(text)
	if errors.Is(err, valuesfile.ErrManifests) {
		var manifests []*preview.Manifest
		manifests, err = preview.Read(len(in.Files)-1, text)
		in.Manifests, in.HasManifests = append(in.Manifests, manifests...), true
		return inFile(name, err)
	}
	if err == nil {
		in.Sources = append(in.Sources, Source{name, text})
	}
	return inFile(name, err)
}

// apply sets the values of each --set, and records them as a source.
func (in *Input) apply(set map[helmchart.Setter]*[]string) error {
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
				in.Sources = append(in.Sources, Source{"--" + string(setter), text})
			}
		}
		return Joined(found)
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

// ReadFile reads a file of the command line, - for standard input. The error is a Problem.
func ReadFile(name string, stdin io.Reader) ([]byte, error) {
	const split = "split it, and give each part with -f"
	fail := func(err error) ([]byte, error) { return nil, Problem{Source: name, Rule: "unreadable", Err: err} }
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
		return fail(errors.New("a file is not downloaded: download it and give its name"))
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
		return Problem{Source: name, Rule: syntaxRule, Err: err}
	}
	found := make(Problems, len(wrong))
	for i, one := range wrong {
		found[i] = Problem{Source: name, Line: one.Line, Column: max(one.Column, 1), Rule: syntaxRule, Err: errors.New(one.Message)}
	}
	return found
}

const syntaxRule = "syntax"

// Render renders the TritonLeases of the input if a file contains manifests, and the values
// otherwise. leases selects TritonLeases; nil means all of them. Errors have positions.
func (in *Input) Render(renderer *render.Renderer, release render.Release, leases []string) (result *render.Result, err error) {
	if in.HasManifests {
		result, err = preview.Render(renderer, release, &in.Input, in.Manifests, leases)
	} else {
		result, err = renderer.RenderInput(release, &in.Input)
	}
	if err != nil {
		return nil, in.withPositions(err)
	}
	return result, nil
}

// Set sets a value, as in a.b=c, as helm's --set does. source names it in errors.
func (in *Input) Set(source, argument string) error {
	alone := map[string]any{}
	if err := helmchart.Set.Apply(alone, argument, readSetFile); err != nil {
		return err
	}
	text, err := yaml.Marshal(alone)
	if err != nil {
		return err
	}
	in.Sources = append(in.Sources, Source{source, text})
	return in.Change(func(values map[string]any) error { return helmchart.Set.Apply(values, argument, readSetFile) })
}
