package harness

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/triton-leases/tms/test/e2e/node"
)

// ServerImage is what the value images.server is here.
const ServerImage = "e2e.invalid/tms-server:dev"

// ServerBinary is the program tms-server on this machine.
func (h *Harness) ServerBinary() string {
	if info, err := os.Stat(h.Server); err == nil && info.IsDir() {
		return filepath.Join(h.Server, "tms-server")
	}
	return h.Server
}

// serverRunner returns what runs the containers of ServerImage: the files of the
// unpacked image where Paths.Server is a folder, and otherwise that program.
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
