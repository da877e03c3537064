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

// Helm is one version of helm, and a cluster.
type Helm struct {
	// Binary is the path of helm 3 or helm 4.
	Binary     string
	Kubeconfig string
	// Home holds its caches and the values files.
	Home string
}

// Name is helm3 or helm4.
func (h Helm) Name() string { return filepath.Base(h.Binary) }

// Run runs helm and returns what it printed.
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
	// Flags are added to helm install and helm upgrade.
	Flags []string
}

// Install installs a release, or upgrades it, and waits until its pods are ready.
// Each text is one values file, of which a later one overrides an earlier one.
func (h Helm) Install(ctx context.Context, r Release, values ...string) (string, error) {
	return h.with(ctx, r, values, "install")
}

// Upgrade upgrades a release and waits until its pods are ready.
func (h Helm) Upgrade(ctx context.Context, r Release, values ...string) (string, error) {
	return h.with(ctx, r, values, "upgrade")
}

// Uninstall removes a release and waits until it is gone.
func (h Helm) Uninstall(ctx context.Context, r Release) error {
	_, err := h.Run(ctx, "uninstall", r.Name, "--namespace", r.Namespace, "--wait", "--timeout", "3m")
	return err
}

func (h Helm) with(ctx context.Context, r Release, values []string, command string) (string, error) {
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
