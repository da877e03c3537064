package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/internal/limitread"
	"github.com/triton-leases/tms/internal/spelling"
)

// endpoints is the file of saved servers, which the command line calls targets as
// NVIDIA TMS does. It never holds a token.
type endpoints struct {
	// Default is the name of the endpoint that is used if none is named.
	Default string              `json:"default,omitempty"`
	ByName  map[string]endpoint `json:"targets,omitempty"`
}

// endpoint is how to reach a server.
type endpoint struct {
	URL       string `json:"url"`
	Namespace string `json:"namespace,omitempty"`
	CAFile    string `json:"caFile,omitempty"`
	TokenFile string `json:"tokenFile,omitempty"`
	// TLSServerName is the name that the certificate must have, if it is not the host of the
	// URL.
	TLSServerName string `json:"tlsServerName,omitempty"`
	// Kube is nil for a server that is called at its URL.
	Kube *kubeEndpoint `json:"cluster,omitempty"`
}

// endpointName matches the names of endpoints. A URL or a flag is not a name.
var endpointName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// endpointsFile returns the name of the file.
func endpointsFile() (string, error) {
	if name := os.Getenv("TMSCTL_CONFIG"); name != "" {
		return name, nil
	}
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("saved targets: %w: set $TMSCTL_CONFIG", err)
	}
	return filepath.Join(folder, "tms", "targets.yaml"), nil
}

// readEndpoints reads the file, and returns an empty value if it does not exist. It
// refuses a file that other users can write to: they could redirect the user's token.
func readEndpoints() (*endpoints, error) {
	name, err := endpointsFile()
	if err != nil {
		return nil, err
	}
	saved := new(endpoints)
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
	if err := checkOwner(info); err != nil {
		return nil, fmt.Errorf("saved targets: %s: %w", name, err)
	}
	text, err := limitread.All(file, limitread.Config)
	if err != nil {
		return nil, fmt.Errorf("saved targets: %w", err)
	}
	if err := yaml.UnmarshalStrict(text, saved); err != nil {
		return nil, fmt.Errorf("saved targets: %s: %w", name, err)
	}
	return saved, nil
}

// write replaces the file. A process that reads it at the same time sees either the old
// or the new file.
func (e *endpoints) write() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("saved targets: %w", err)
		}
	}()
	name, err := endpointsFile()
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real // keep a symbolic link
	}
	text, err := yaml.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".targets-*") // with mode 0600
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

// find returns an endpoint by its name.
func (e *endpoints) find(name string) (endpoint, error) {
	if found, ok := e.ByName[name]; ok {
		return found, nil
	}
	if !endpointName.MatchString(name) {
		return endpoint{}, cli.Usagef("target %q: must be a URL, https://<host>:<port>, or the name of a saved target", name)
	}
	if nearest := spelling.Nearest(name, e.names()); nearest != "" {
		return endpoint{}, cli.Usagef("target %q does not exist, did you mean %q?", name, nearest)
	}
	return endpoint{}, cli.Usagef("target %q does not exist: save it with 'tmsctl target add %s <url>'", name, name)
}

func (e *endpoints) add(name string, added endpoint) {
	if e.ByName == nil {
		e.ByName = map[string]endpoint{}
	}
	e.ByName[name] = added
}

func (e *endpoints) names() []string { return slices.Sorted(maps.Keys(e.ByName)) }

// completeEndpoints completes the names of endpoints.
func completeEndpoints(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	saved, err := readEndpoints()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return saved.names(), cobra.ShellCompDirectiveNoFileComp
}
