package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/schema"
)

// targets is the file of saved targets. There is never a token in it.
type targets struct {
	// Default is the name of the target that is meant where none is named.
	Default string            `json:"default,omitempty"`
	Targets map[string]target `json:"targets,omitempty"`
}

// target is how a server is reached.
type target struct {
	URL       string `json:"url"`
	Namespace string `json:"namespace,omitempty"`
	CAFile    string `json:"caFile,omitempty"`
	TokenFile string `json:"tokenFile,omitempty"`
}

// targetName is what a target may be called: nothing that could be a URL or a flag.
var targetName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// targetsFile is where targets are saved.
func targetsFile() (string, error) {
	if name := os.Getenv("TMSCTL_CONFIG"); name != "" {
		return name, nil
	}
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("saved targets: %w: give $TMSCTL_CONFIG", err)
	}
	return filepath.Join(folder, "tms", "targets.yaml"), nil
}

// readTargets reads what is saved: nothing, where there is no file. A file that others
// may write is not read: it could send the user's token to anybody.
func readTargets() (*targets, error) {
	name, err := targetsFile()
	if err != nil {
		return nil, err
	}
	saved := new(targets)
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return saved, nil
	}
	if err != nil {
		return nil, fmt.Errorf("saved targets: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("saved targets: %w", err)
	}
	if err := ownedAlone(info); err != nil {
		return nil, fmt.Errorf("saved targets: %s: %w", name, err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("saved targets: %w", err)
	}
	if err := yaml.UnmarshalStrict(text, saved); err != nil {
		return nil, fmt.Errorf("saved targets: %s: %w", name, err)
	}
	return saved, nil
}

// write saves the targets. Who reads them at the same time sees the old file or the
// new one, and never a part of one.
func (t *targets) write() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("saved targets: %w", err)
		}
	}()
	name, err := targetsFile()
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real // a link that somebody made stays one
	}
	text, err := yaml.Marshal(t)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".targets-*") // which is 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}

// find returns a target by its name.
func (t *targets) find(name string) (target, error) {
	if found, ok := t.Targets[name]; ok {
		return found, nil
	}
	if !targetName.MatchString(name) {
		return target{}, cli.Usagef("target %q: must be a URL, https://<host>:<port>, or the name of a saved target", name)
	}
	if best := schema.Nearest(name, t.names()); best != "" {
		return target{}, cli.Usagef("there is no target %q, did you mean %q?", name, best)
	}
	return target{}, cli.Usagef("there is no target %q: save it with 'tmsctl target add %s <url>'", name, name)
}

func (t *targets) add(name string, added target) {
	if t.Targets == nil {
		t.Targets = map[string]target{}
	}
	t.Targets[name] = added
}

func (t *targets) names() []string { return slices.Sorted(maps.Keys(t.Targets)) }

func completeTargets(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	saved, err := readTargets()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return saved.names(), cobra.ShellCompDirectiveNoFileComp
}
