package render

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/triton-leases/tms/internal/generic"
	"github.com/triton-leases/tms/internal/schema"
	"github.com/triton-leases/tms/internal/source"
)

// Input is what values files say, laid over each other as helm does with several
// -f, and the TritonLeases of files of manifests. Where there are such files, they
// take the place of the leases of the values, which say what is said of the
// installation. The zero Input says nothing, which leaves the defaults of the
// chart. It must not be copied.
type Input struct {
	values    source.Values
	manifests manifestFiles
}

// ErrNoLease is returned where a lease is named that the values do not have.
var ErrNoLease = errors.New("no such lease")

// Add lays a values file over what there is, or adds the TritonLeases of a file of
// manifests: one holds either. The error names lines and columns.
func (in *Input) Add(text []byte) error {
	in.manifests.files++
	file, err := source.ReadFile(text)
	if errors.Is(err, source.ErrManifests) {
		return in.manifests.add(text)
	}
	if err != nil {
		return err
	}
	in.values.Add(file)
	return nil
}

// AddValues lays values that are parsed already over what there is. They are not
// changed. What encoding/json would not have made, such as a []string, is brought
// to its form; what it cannot write is an error.
func (in *Input) AddValues(values map[string]any) error {
	if !generic.Is(values) {
		text, err := json.Marshal(values)
		if err != nil {
			return fmt.Errorf("values: %w", err)
		}
		values = nil
		if err := json.Unmarshal(text, &values); err != nil {
			return fmt.Errorf("values: %w", err)
		}
	}
	in.values.Add(source.File{Values: values})
	return nil
}

// Change lets a function change the values, as --set does. It gets a copy of its
// own; where it fails nothing changes.
func (in *Input) Change(change func(values map[string]any) error) error {
	all := in.values.Copy()
	if err := change(all); err != nil {
		return err
	}
	in.values = source.Values{}
	return in.AddValues(all)
}

// Only removes all leases but the named ones, and what belongs to no lease: the
// extraObjects, and tms-server. It returns ErrNoLease where there is no such lease.
// A TritonLease is named by its name, or by its namespace and name, as in
// inference/resnet50; which namespace it is in depends on the release, so that it
// is missed later.
func (in *Input) Only(names ...string) error {
	if in.manifests.given {
		in.manifests.only = names
		return nil
	}
	known := map[string]bool{}
	all := in.values.Names()
	for _, name := range all {
		known[name] = true
	}
	for _, name := range names {
		if !known[name] {
			return noLease(name, all)
		}
	}
	in.values.Only(names...)
	in.onlyLeases()
	return nil
}

// onlyLeases removes what belongs to no lease.
func (in *Input) onlyLeases() {
	in.values.Delete("extraObjects")
	in.values.Add(source.File{Values: map[string]any{
		"server": map[string]any{"enabled": false, "apiService": nil}, "images": map[string]any{"server": ""},
	}})
}

// configuration returns what tms-server knows of the values: not their leases, and
// nothing of how it runs itself.
func (in *Input) configuration() *Input {
	known := new(Input)
	known.values.Add(source.File{Values: in.values.Rest()})
	known.onlyLeases()
	return known
}

// Leases returns how many leases there are.
func (in *Input) Leases() int {
	if in.manifests.given {
		return len(in.manifests.all)
	}
	return in.values.Len()
}

// TritonLeases returns how many of them are TritonLeases.
func (in *Input) TritonLeases() int { return len(in.manifests.all) }

func noLease(name string, known []string) error {
	if best := schema.Nearest(name, known); best != "" {
		return fmt.Errorf("%w: %q, did you mean %q?", ErrNoLease, name, best)
	}
	return fmt.Errorf("%w: %q", ErrNoLease, name)
}

// inputOf reads values files.
func inputOf(files [][]byte) (*Input, error) {
	in := new(Input)
	for i, text := range files {
		if err := in.Add(text); err != nil {
			return nil, fmt.Errorf("values file %d: %w", i+1, err)
		}
	}
	return in, nil
}
