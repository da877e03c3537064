package monitoring

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"

	"github.com/triton-leases/tms/test/e2e/cluster"
	"github.com/triton-leases/tms/test/e2e/node"
)

// kedaImages returns the runners of the images of KEDA, by repository. bins is the folder of
// keda/bins.sh.
func kedaImages(bins string) map[string]node.Runner {
	return map[string]node.Runner{
		"ghcr.io/kedacore/keda":                   node.Binary{Path: filepath.Join(bins, "keda-operator")},
		"ghcr.io/kedacore/keda-metrics-apiserver": node.Binary{Path: filepath.Join(bins, "keda-adapter")},
	}
}

// installKEDA installs KEDA, without its admission webhooks.
func installKEDA(ctx context.Context, c *cluster.Cluster, bins string) error {
	if err := c.Apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: keda}}"); err != nil {
		return err
	}
	secret, err := kedaCertificates(c)
	if err != nil {
		return err
	}
	all := []string{secret}
	for _, file := range []string{"crds.yaml", "rbac.yaml"} {
		text, err := os.ReadFile(filepath.Join(bins, file))
		if err != nil {
			return fmt.Errorf("manifests of KEDA: %w", err)
		}
		all = append(all, string(text))
	}
	deployments, err := manifests.ReadFile("manifests/keda.yaml")
	if err != nil {
		return fmt.Errorf("manifests: %w", err)
	}
	for _, text := range append(all, string(deployments)) {
		if err := c.Apply(ctx, text); err != nil {
			return fmt.Errorf("KEDA: %w", err)
		}
	}
	return nil
}

// kedaCertificates returns the Secret with which the parts of KEDA trust each other.
func kedaCertificates(c *cluster.Cluster) (string, error) {
	manifest := "apiVersion: v1\nkind: Secret\nmetadata: {name: kedaorg-certs, namespace: keda}\ndata:\n"
	for key, file := range c.KEDACertificateFiles() {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("certificates of KEDA: %w", err)
		}
		manifest += fmt.Sprintf("  %s: %s\n", key, base64.StdEncoding.EncodeToString(text))
	}
	return manifest, nil
}
