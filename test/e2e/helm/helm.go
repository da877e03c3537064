// Package helm runs the real helm.
package helm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Helm is a version of helm with the kubeconfig of a cluster.
type Helm struct {
	// Binary is the path of helm 3 or helm 4.
	Binary     string
	Kubeconfig string
	// Home is the folder of its caches and of the values files.
	Home string
}

// Name returns helm3 or helm4.
func (h Helm) Name() string { return filepath.Base(h.Binary) }

// Run runs helm and returns its standard output.
func (h Helm) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, h.Binary, append([]string{"--kubeconfig", h.Kubeconfig}, args...)...)
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	cmd.Env = []string{"HOME=" + h.Home, "PATH=/usr/bin:/bin"}
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", h.Name(), strings.Join(args, " "), err, strings.TrimSpace(failed.String()))
	}
	return out.String(), nil
}

// Release is a release of a chart in a namespace.
type Release struct {
	Name, Namespace, Chart string
	// Flags are additional flags of helm install and helm upgrade.
	Flags []string
}

// Install installs a release and waits until its pods are ready. Each of values is the
// text of a values file; later ones override earlier ones.
func (h Helm) Install(ctx context.Context, r Release, values ...string) (string, error) {
	return h.deploy(ctx, r, values, "install")
}

// Upgrade upgrades a release and waits until its pods are ready. Each of values is the
// text of a values file; later ones override earlier ones.
func (h Helm) Upgrade(ctx context.Context, r Release, values ...string) (string, error) {
	return h.deploy(ctx, r, values, "upgrade")
}

// Uninstall uninstalls a release and waits until its objects are deleted.
func (h Helm) Uninstall(ctx context.Context, r Release) error {
	_, err := h.Run(ctx, "uninstall", r.Name, "--namespace", r.Namespace, "--wait", "--timeout", "3m")
	return err
}

func (h Helm) deploy(ctx context.Context, r Release, values []string, command string) (string, error) {
	args := append([]string{command, r.Name, r.Chart, "--namespace", r.Namespace, "--wait", "--timeout", "4m"}, r.Flags...)
	for _, text := range values {
		file, err := os.CreateTemp(h.Home, "values-*.yaml")
		if err != nil {
			return "", fmt.Errorf("values file: %w", err)
		}
		defer func() { _ = os.Remove(file.Name()) }()
		if _, err := file.WriteString(text); err != nil {
			return "", fmt.Errorf("values file: %w", err)
		}
		if err := file.Close(); err != nil {
			return "", fmt.Errorf("values file: %w", err)
		}
		args = append(args, "--values", file.Name())
	}
	return h.Run(ctx, args...)
}
