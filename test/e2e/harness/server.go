package harness

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"github.com/triton-leases/tms/test/e2e/netns"
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

// S3 is an S3 server. It checks the signatures of requests.
type S3 struct {
	// Endpoint is its host and port.
	Endpoint string
	// KeyID and Secret are the only key that it accepts.
	KeyID, Secret string
	// Dir is the folder of its objects: <bucket>/<key>.
	Dir string
}

// StartS3 starts an S3 server for the name of a host.
func (h *Harness) StartS3(host string) (*S3, error) {
	s := &S3{
		Endpoint: host + ":7070", KeyID: "e2e-" + rand.Text(), Secret: rand.Text(), Dir: filepath.Join(h.Dir, "s3-"+host),
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("S3 server: %w", err)
	}
	h.Network.AddHost(host, netns.NodeIP)
	_, err := h.Run(process.Spec{
		Name: "s3-" + host, Argv: []string{filepath.Join(h.Bins, "versitygw"), "--port", netns.NodeIP + ":7070", "--quiet", "posix", "--nometa", s.Dir},
		Env: []string{"ROOT_ACCESS_KEY_ID=" + s.KeyID, "ROOT_SECRET_ACCESS_KEY=" + s.Secret}, Restart: true,
	})
	if err != nil {
		return nil, fmt.Errorf("S3 server: %w", err)
	}
	return s, nil
}
