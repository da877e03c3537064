package harness

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/triton-leases/tms/test/e2e/node"
	"github.com/triton-leases/tms/test/e2e/process"
)

// ServerImage is the value of images.server in the scenarios.
const ServerImage = "e2e.invalid/tms-server:dev"

// ServerBinary returns the path of the program tms-server.
func (h *Harness) ServerBinary() string {
	if info, err := os.Stat(h.Server); err == nil && info.IsDir() {
		return filepath.Join(h.Server, "tms-server")
	}
	return h.Server
}

// serverRunner returns the runner of ServerImage: the files of the unpacked image if
// path is a folder, otherwise the program.
func serverRunner(path string) (node.Runner, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tms-server: %w", err)
	}
	if info.IsDir() {
		return node.Image(path, "tms-server")
	}
	return node.Binary{Path: path}, nil
}

// startRegistry starts an empty registry.
func (h *Harness) startRegistry() (*node.Registry, error) {
	r := &node.Registry{Crane: filepath.Join(h.Tools, "crane"), Address: "127.0.0.1:5000", Dir: filepath.Join(h.Dir, "images")}
	if _, err := h.Run(process.Spec{Name: "registry", Argv: []string{r.Crane, "registry", "serve", "--address", r.Address}, Restart: true}); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return r, nil
}
