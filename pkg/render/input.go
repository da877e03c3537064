package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/triton-leases/tms/internal/spelling"
	"github.com/triton-leases/tms/internal/valuesfile"
)

// Input holds the values of several files and flags, merged as helm merges them. The
// zero Input has no values: the chart's defaults apply. An Input is granted or rendered
// once, which frees its leases.
type Input struct {
	values map[string]any
	spent  bool
	// hasServer reports whether the values installed tms-server before it was removed.
	hasServer bool
}

var errSpent = errors.New("the Input was granted or rendered already: make a new one")

// ErrNoLease is returned if a named lease does not exist.
var ErrNoLease = errors.New("no such lease")

// leasesKey is the key of the values that holds the leases.
const leasesKey = "leases"

// Add merges a values file over the values. The error names lines and columns.
func (in *Input) Add(text []byte) error {
	values, err := valuesfile.Read(text)
	if err != nil {
		return err
	}
	in.values = valuesfile.Merge(in.values, values)
	return nil
}

// AddValues merges a copy of parsed values over the values. A value of a Go type that
// encoding/json does not decode to, such as []string, is converted by way of JSON. The
// error is that of encoding it.
func (in *Input) AddValues(values map[string]any) error {
	copied, err := copyJSON(values)
	if err != nil {
		return fmt.Errorf("values: %w", err)
	}
	in.values = valuesfile.Merge(in.values, copied.(map[string]any))
	return nil
}

// copyJSON returns a deep copy of a value. The copy has only int64 and the types that
// encoding/json decodes to.
func copyJSON(value any) (any, error) {
	var err error
	switch value := value.(type) {
	case map[string]any:
		copied := make(map[string]any, len(value))
		for key, inner := range value {
			if copied[key], err = copyJSON(inner); err != nil {
				return nil, err
			}
		}
		return copied, nil
	case []any:
		copied := make([]any, len(value))
		for i, inner := range value {
			if copied[i], err = copyJSON(inner); err != nil {
				return nil, err
			}
		}
		return copied, nil
	case nil, bool, string, float64, int64:
		return value, nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var decoded any
	return decoded, json.Unmarshal(text, &decoded)
}

// Change calls a function that changes the values, as --set does. The function gets a
// copy: if it returns an error, the values stay as they are.
func (in *Input) Change(change func(values map[string]any) error) error {
	copied, err := copyJSON(in.values)
	if err != nil {
		return err // cannot happen: Add and AddValues copy only what copyJSON accepts
	}
	changed := copied.(map[string]any)
	if err := change(changed); err != nil {
		return err
	}
	in.values = changed
	return nil
}

// Only removes all leases except the named ones, and everything that does not belong to a
// lease: extraObjects and tms-server. It returns ErrNoLease if there is no lease with a
// name.
func (in *Input) Only(names ...string) error {
	all, _ := in.values[leasesKey].(map[string]any)
	kept := map[string]any{}
	for _, name := range names {
		lease, known := all[name]
		if !known {
			return UnknownLease(name, slices.Sorted(maps.Keys(all)))
		}
		kept[name] = lease
	}
	in.hasServer = in.installsServer()
	in.values = withoutServer(in.values)
	in.values[leasesKey] = kept
	if images, _ := in.values["images"].(map[string]any); images["server"] != nil && !mayDownload(kept) {
		images = maps.Clone(images)
		delete(images, "server") // else it would be reported to have no effect
		in.values["images"] = images
	}
	return nil
}

// WithoutLeases returns a copy of the input without leases.
func (in *Input) WithoutLeases() *Input { return &Input{values: in.withoutLeases()} }

func (in *Input) withoutLeases() map[string]any {
	values := maps.Clone(in.values)
	delete(values, leasesKey)
	return values
}

// Configuration returns the part of the values that tms-server reads: without leases,
// and without how tms-server itself is deployed.
func (in *Input) Configuration() *Input {
	return &Input{values: withoutServer(in.withoutLeases()), hasServer: in.installsServer()}
}

// installsServer reports whether the release has tms-server.
func (in *Input) installsServer() bool {
	server, _ := in.values["server"].(map[string]any)
	enabled, _ := server["enabled"].(bool)
	return in.hasServer || enabled
}

// withoutServer returns a copy of values without tms-server and extraObjects. The image of
// tms-server remains: it also downloads models.
func withoutServer(values map[string]any) map[string]any {
	values = valuesfile.Merge(values, map[string]any{
		"server": map[string]any{"enabled": false, "apiService": nil},
	})
	delete(values, "extraObjects")
	return values
}

// Leases returns the number of leases.
func (in *Input) Leases() int {
	leases, _ := in.values[leasesKey].(map[string]any)
	return len(leases)
}

// LeaseNames returns the names of the leases, sorted.
func (in *Input) LeaseNames() []string {
	leases, _ := in.values[leasesKey].(map[string]any)
	return slices.Sorted(maps.Keys(leases))
}

// UnknownLease returns an error that wraps ErrNoLease, suggests a known name, and lists the
// first known names.
func UnknownLease(name string, known []string) error {
	const most = 20
	err := fmt.Errorf("%w: %q", ErrNoLease, name)
	if best := spelling.Nearest(name, known); best != "" {
		err = fmt.Errorf("%w, did you mean %q?", err, best)
	}
	switch more := len(known) - most; {
	case len(known) == 0:
		return fmt.Errorf("%w: the input has no leases", err)
	case more > 0:
		return fmt.Errorf("%w (known here: %s and %d more)", err, strings.Join(known[:most], ", "), more)
	}
	return fmt.Errorf("%w (known here: %s)", err, strings.Join(known, ", "))
}

// inputOf returns the Input of values files.
func inputOf(files [][]byte) (*Input, error) {
	in := new(Input)
	for i, text := range files {
		if err := in.Add(text); err != nil {
			return nil, fmt.Errorf("values file %d: %w", i+1, err)
		}
	}
	return in, nil
}
