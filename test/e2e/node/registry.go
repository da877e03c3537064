package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// Registry runs the containers of images that it pulls from a registry, and mounts such images
// as volumes. It pulls each image once. The registry is a mirror of all others, as in the
// configuration of a container runtime.
type Registry struct {
	// Crane is the program that pulls and pushes.
	Crane string
	// Address is the address of the registry, Dir the folder of the pulled images.
	Address, Dir string

	mu     sync.Mutex
	pulled map[string]string // folders by image
}

// platform selects an image of this machine.
const platform = "--platform=linux/" + runtime.GOARCH

// Run implements Runner.
func (r *Registry) Run(ctx context.Context, c *Container) int32 {
	image, err := r.image(ctx, c.Image)
	if err != nil {
		_, _ = fmt.Fprintf(c.Log, "e2e: failed to pull the image %s: %v\n", c.Image, err)
		return 128
	}
	return image.Run(ctx, c)
}

// Push pushes an OCI image layout under the name of an image.
func (r *Registry) Push(ctx context.Context, layout, image string) error {
	_, err := r.crane(ctx, "push", layout, r.mirrored(image))
	return err
}

// PushFiles pushes an image with the files of a tar.
func (r *Registry) PushFiles(ctx context.Context, tar, image string) error {
	_, err := r.crane(ctx, "append", "--new_layer", tar, "--new_tag", r.mirrored(image))
	return err
}

func (r *Registry) image(ctx context.Context, image string) (Binary, error) {
	text, err := r.crane(ctx, "config", platform, r.mirrored(image))
	if err != nil {
		return Binary{}, err
	}
	var config struct {
		Config struct{ Entrypoint []string }
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return Binary{}, fmt.Errorf("configuration: %w", err)
	}
	if len(config.Config.Entrypoint) != 1 {
		return Binary{}, fmt.Errorf("the entrypoint is %q, want one program", config.Config.Entrypoint)
	}
	folder, err := r.pull(ctx, image)
	if err != nil {
		return Binary{}, err
	}
	return Image(folder, config.Config.Entrypoint[0])
}

// pull returns the folder of the files of an image.
func (r *Registry) pull(ctx context.Context, image string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if folder, ok := r.pulled[image]; ok {
		return folder, nil
	}
	folder := filepath.Join(r.Dir, strconv.Itoa(len(r.pulled)))
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil {
		return "", err
	}
	if _, err := r.crane(ctx, "export", platform, r.mirrored(image), folder+".tar"); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "tar", "--extract", "--no-same-owner", "--file", folder+".tar", "--directory", folder).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack: %w: %s", err, out)
	}
	if r.pulled == nil {
		r.pulled = map[string]string{}
	}
	r.pulled[image] = folder
	return folder, nil
}

// mount makes the files of an image appear in the folder of a volume.
func (r *Registry) mount(ctx context.Context, image, volume string) error {
	folder, err := r.pull(ctx, image)
	if err != nil {
		return err
	}
	if err := os.Symlink(folder, volume); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// mirrored returns the name of an image in the registry.
func (r *Registry) mirrored(image string) string {
	_, path, _ := strings.Cut(image, "/")
	return r.Address + "/" + path
}

func (r *Registry) crane(ctx context.Context, arguments ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, r.Crane, arguments...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("crane %s: %w: %s", arguments[0], err, exit.Stderr)
	}
	return out, err
}
