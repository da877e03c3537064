// Package monitoring installs the monitoring that leases need, and queries it: the
// Prometheus Operator, a Prometheus, prometheus-adapter, metrics-server and
// kube-state-metrics, all real.
package monitoring

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/triton-leases/tms/test/e2e/cluster"
	"github.com/triton-leases/tms/test/e2e/node"
	"github.com/triton-leases/tms/test/e2e/process"
)

//go:embed manifests/*.yaml
var manifests embed.FS

// Images returns the runners of the images, by repository. keda is the folder of keda/bins.sh,
// or empty.
func Images(bins, keda string) map[string]node.Runner {
	images := map[string]node.Runner{}
	if keda != "" {
		images = kedaImages(keda)
	}
	for repository, binary := range map[string]string{
		"registry.k8s.io/prometheus-adapter/prometheus-adapter": "adapter",
		"registry.k8s.io/metrics-server/metrics-server":         "metrics-server",
		"registry.k8s.io/kube-state-metrics/kube-state-metrics": "kube-state-metrics",
	} {
		images[repository] = node.Binary{Path: filepath.Join(bins, binary)}
	}
	// It may miss a change of a file. By default it checks again after three minutes.
	images["quay.io/prometheus-operator/prometheus-config-reloader"] = node.Binary{
		Path: filepath.Join(bins, "prometheus-config-reloader"), Args: []string{"--watch-interval=5s"},
	}
	// These listen on all addresses by default.
	images["quay.io/prometheus/prometheus"] = node.Binary{Path: filepath.Join(bins, "prometheus"), Args: []string{"--web.listen-address=:9090"}}
	images["quay.io/prometheus-operator/prometheus-operator"] = node.Binary{Path: filepath.Join(bins, "prometheus-operator"), Args: []string{"--web.listen-address=:8080"}}
	return images
}

// Install installs everything, and returns when all of it is available. With keda, the folder
// of keda/bins.sh, KEDA serves the metrics in place of prometheus-adapter.
func Install(ctx context.Context, c *cluster.Cluster, bins, keda string, step func(format string, args ...any)) error {
	if err := c.Apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: monitoring}}"); err != nil {
		return err
	}
	bundle, err := operatorBundle(bins)
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, bundle); err != nil {
		return fmt.Errorf("prometheus operator: %w", err)
	}
	if _, err := c.Kubectl(ctx, "", "wait", "--for=condition=Established", "--timeout=120s", "crd", "--all"); err != nil {
		return err
	}
	step("the operator's CustomResourceDefinitions are established")
	config, err := AdapterRules(ctx, bins)
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: prometheus-adapter, namespace: monitoring}\ndata:\n  config.yaml: |\n    "+
		strings.ReplaceAll(config, "\n", "\n    ")+"\n"); err != nil {
		return fmt.Errorf("configuration of prometheus-adapter: %w", err)
	}
	names := []string{"prometheus", "metrics-server", "kube-state-metrics"}
	if keda == "" {
		names = append(names, "adapter")
	} else if err := installKEDA(ctx, c, keda); err != nil {
		return err
	}
	for _, name := range names {
		text, err := manifests.ReadFile("manifests/" + name + ".yaml")
		if err != nil {
			return fmt.Errorf("manifests: %w", err)
		}
		if err := c.Apply(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return await(ctx, c, keda != "", step)
}

// await waits until each component is available.
func await(ctx context.Context, c *cluster.Cluster, keda bool, step func(string, ...any)) error {
	source := [][]string{
		{"prometheus-adapter", "--for=condition=Available", "-n", "monitoring", "deployment/prometheus-adapter"},
		{"custom.metrics.k8s.io", "--for=condition=Available", "apiservice/v1beta1.custom.metrics.k8s.io"},
	}
	if keda {
		source = [][]string{
			{"KEDA", "--for=condition=Available", "-n", "keda", "deployment/keda-operator", "deployment/keda-metrics-apiserver"},
			{"external.metrics.k8s.io", "--for=condition=Available", "apiservice/v1beta1.external.metrics.k8s.io"},
		}
	}
	for _, wait := range append([][]string{
		{"prometheus operator", "--for=condition=Available", "-n", "monitoring", "deployment/prometheus-operator"},
		{"Prometheus", "--for=condition=Available", "-n", "monitoring", "prometheus/prometheus-kube-prometheus-prometheus"},
		{"metrics-server", "--for=condition=Available", "-n", "kube-system", "deployment/metrics-server"},
		{"kube-state-metrics", "--for=condition=Available", "-n", "monitoring", "deployment/kube-state-metrics"},
		{"metrics.k8s.io", "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io"},
	}, source...) {
		if _, err := c.Kubectl(ctx, "", append([]string{"wait", "--timeout=240s"}, wait[1:]...)...); err != nil {
			return fmt.Errorf("%s does not become available: %w", wait[0], err)
		}
		step("%s is available", wait[0])
	}
	return nil
}

// CustomResourceDefinitions returns the manifests of the operator's kinds.
func CustomResourceDefinitions(bins string) (string, error) {
	bundle, err := operatorBundle(bins)
	parts := slices.DeleteFunc(strings.Split(bundle, "\n---\n"), func(part string) bool {
		return !strings.Contains(part, "\nkind: CustomResourceDefinition\n")
	})
	return strings.Join(parts, "\n---\n"), err
}

// OperatorProcess returns the operator as a process of a control plane without a node.
func OperatorProcess(c *cluster.Cluster, bins, name, address string) (process.Spec, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return process.Spec{}, fmt.Errorf("kubeconfig: %w", err)
	}
	return process.Spec{Name: name, Argv: []string{
		filepath.Join(bins, "prometheus-operator"), "--web.listen-address=" + address, "--apiserver=" + config.Host,
		"--ca-file=" + config.CAFile, "--cert-file=" + config.CertFile, "--key-file=" + config.KeyFile,
	}}, nil
}

// operatorBundle returns the manifests of the operator, in the namespace monitoring.
func operatorBundle(bins string) (string, error) {
	text, err := os.ReadFile(filepath.Join(bins, "bundle.yaml"))
	if err != nil {
		return "", fmt.Errorf("manifest of the operator: %w", err)
	}
	return strings.ReplaceAll(string(text), "namespace: default", "namespace: monitoring"), nil
}

// AdapterRules returns the default rules of the adapter's chart. The adapter's own
// generator writes them. Like the chart, AdapterRules omits the resource rules, because
// metrics-server serves metrics.k8s.io.
func AdapterRules(ctx context.Context, bins string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	generated, err := exec.CommandContext(ctx, filepath.Join(bins, "config-gen"), "--rate-interval=5m", "--label-prefix=").Output()
	if err != nil {
		return "", fmt.Errorf("generate the adapter's rules: %w", err)
	}
	config := string(generated)
	if before, after, found := strings.Cut(config, "resourceRules:"); found {
		config = before
		if _, rules, more := strings.Cut(after, "\nrules:"); more {
			config += "rules:" + rules
		}
	}
	return strings.TrimSpace(config), nil
}
