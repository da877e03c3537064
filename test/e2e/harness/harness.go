// Package harness starts the test environment: a control plane, a node, a network,
// the monitoring and a fleet of Tritons, all in this network namespace.
package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/triton-leases/tms/test/e2e/cluster"
	"github.com/triton-leases/tms/test/e2e/helm"
	"github.com/triton-leases/tms/test/e2e/monitoring"
	"github.com/triton-leases/tms/test/e2e/netns"
	"github.com/triton-leases/tms/test/e2e/network"
	"github.com/triton-leases/tms/test/e2e/node"
	"github.com/triton-leases/tms/test/e2e/process"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// dnsAddress is the address of the DNS server, which resolves the names of Services.
const dnsAddress = "127.0.0.1"

// ProxyDelay is the time after which Services learn that a pod is no longer ready.
const ProxyDelay = time.Second

// Paths has the input and output paths of a run.
type Paths struct {
	// Bins is the folder of the components (bins.sh), Tools that of helm3, helm4, crane,
	// grpcurl and buf.
	Bins, Tools string
	// KEDA is the folder of keda/bins.sh. If it is not empty, KEDA serves the metrics in place
	// of prometheus-adapter.
	KEDA string
	// Chart is the chart under test.
	Chart string
	// Server is tms-server: a program, or the folder of its unpacked image. Tmsctl and
	// Whatif are the programs tmsctl and tms-whatif.
	Server, Tmsctl, Whatif string
	// Dir is the folder of the run, Results that of its tables and plots.
	Dir, Results string
}

// Harness is the running test environment.
type Harness struct {
	Paths
	Cluster    *cluster.Cluster
	Node       *node.Node
	Network    *network.Network
	Fleet      *triton.Fleet
	Prometheus monitoring.Prometheus
	// Registry serves the image of tms-server in the documentation, and images of models.
	Registry *node.Registry
	Log      *Log

	processes *process.Group
	cancel    context.CancelFunc
	others    atomic.Int32 // the number of other control planes
}

// Start starts the environment. The caller must call Stop even if Start returns an error.
func Start(ctx context.Context, paths Paths, log *Log) (*Harness, error) {
	h := &Harness{Paths: paths, Fleet: triton.NewFleet(), Log: log}
	if err := h.check(); err != nil {
		return h, err
	}
	ctx, h.cancel = context.WithCancel(ctx)
	if err := netns.Configure(); err != nil {
		return h, err
	}
	var err error
	if h.processes, err = process.NewGroup(h.Logs()); err != nil {
		return h, err
	}
	if h.Cluster, err = cluster.Start(ctx, cluster.Config{
		Dir: h.Dir, Bins: h.Bins, NodeIP: netns.NodeIP, ServiceRange: netns.ServiceRange, APIServiceIP: netns.APIServiceIP,
		Loopback: "127.0.0.1", Processes: h.processes, HPASync: 2 * time.Second,
	}); err != nil {
		return h, fmt.Errorf("control plane: %w", err)
	}
	log.Step("cluster", "the control plane is ready")
	if err := h.writeEnter(); err != nil {
		return h, err
	}
	report := func(format string, args ...any) { log.Detail("node", format, args...) }
	if h.Network, err = network.Start(ctx, network.Config{Client: h.Cluster.Client, DNS: dnsAddress + ":53", Delay: ProxyDelay, Report: report}); err != nil {
		return h, fmt.Errorf("network: %w", err)
	}
	pods := filepath.Join(h.Dir, "pods")
	if err := node.WriteResolver(pods, dnsAddress); err != nil {
		return h, err
	}
	// Commands of the scenarios resolve Services as pods do.
	if err := netns.Resolve(filepath.Join(pods, "resolv.conf")); err != nil {
		return h, err
	}
	images := monitoring.Images(h.Bins, h.KEDA)
	images["nvcr.io/nvidia/tritonserver"] = h.Fleet
	if images["e2e.invalid/tms-server"], err = serverRunner(h.Server); err != nil {
		return h, err
	}
	if h.Registry, err = h.startRegistry(); err != nil {
		return h, err
	}
	images["registry.example.com/tms-server"] = h.Registry
	certificate, key := h.Cluster.CertificateFiles()
	if h.Node, err = node.Start(ctx, node.Config{
		Name: "loopback", IP: netns.NodeIP, Client: h.Cluster.Client, Dir: pods, Logs: h.Logs(), Images: images, Registry: h.Registry,
		APIHost: h.Cluster.APIHost(), APIPort: h.Cluster.APIPort(), CertificateFile: certificate, KeyFile: key, Report: report,
	}); err != nil {
		return h, fmt.Errorf("node: %w", err)
	}
	if err := monitoring.Install(ctx, h.Cluster, h.Bins, h.KEDA, func(format string, args ...any) { log.Step("cluster", format, args...) }); err != nil {
		return h, fmt.Errorf("monitoring: %w", err)
	}
	h.Prometheus = monitoring.Prometheus{Address: func() (string, error) {
		found := h.Network.Resolve("prometheus-kube-prometheus-prometheus.monitoring.svc")
		if len(found) == 0 {
			return "", errors.New("the Service of Prometheus has no address")
		}
		return found[0] + ":9090", nil
	}}
	return h, nil
}

// check returns an error if an input file is missing.
func (h *Harness) check() error {
	for _, path := range []string{
		filepath.Join(h.Bins, "kubestack"), filepath.Join(h.Bins, "bundle.yaml"), filepath.Join(h.Bins, "versitygw"),
		filepath.Join(h.Tools, "helm3"), filepath.Join(h.Tools, "helm4"), filepath.Join(h.Chart, "Chart.yaml"), h.Server,
		filepath.Join(h.Tools, "crane"), filepath.Join(h.Tools, "grpcurl"), filepath.Join(h.Tools, "buf"), h.Tmsctl,
	} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w\nbuild the components with test/e2e/bins.sh, the tools with make -C test/e2e tools, and tms-server and tmsctl with make -C test/e2e server; set E2E_BINS, TOOLS, E2E_SERVER and E2E_TMSCTL to use other paths", err)
		}
	}
	return nil
}

// Logs returns the folder of all logs.
func (h *Harness) Logs() string { return filepath.Join(h.Dir, "logs") }

// Helm returns Helm 3 or Helm 4.
func (h *Harness) Helm(version int) helm.Helm {
	return helm.Helm{Binary: filepath.Join(h.Tools, fmt.Sprintf("helm%d", version)), Kubeconfig: h.Cluster.Kubeconfig, Home: h.Dir}
}

// Run starts a process in the network of the cluster. Stop kills it.
func (h *Harness) Run(spec process.Spec) (*process.Process, error) { return h.processes.Start(spec) }

// Other starts another control plane, without a scheduler and a node. Stop kills it.
func (h *Harness) Other(ctx context.Context, name string) (*cluster.Cluster, error) {
	dir := filepath.Join(h.Dir, name)
	n := h.others.Add(1)
	return cluster.Start(ctx, cluster.Config{
		Dir: dir, Bins: h.Bins, NodeIP: netns.OtherIP(n), ServiceRange: netns.OtherServiceRange, APIServiceIP: netns.OtherAPIServiceIP,
		Loopback: fmt.Sprintf("127.0.0.%d", 1+n), Name: name + "-", Processes: h.processes, HPASync: 2 * time.Second, NoScheduler: true,
	})
}

// Stop stops everything and removes the folder of the run. If failed is set, it keeps the
// logs.
func (h *Harness) Stop(failed bool) error {
	if h.cancel != nil {
		h.cancel()
	}
	if h.processes != nil {
		h.processes.Stop()
	}
	// Containers end when the context is done.
	time.Sleep(time.Second)
	var errs []error
	for _, part := range []string{"etcd", "pods"} {
		errs = append(errs, os.RemoveAll(filepath.Join(h.Dir, part)))
	}
	if !failed {
		errs = append(errs, os.RemoveAll(h.Dir))
	}
	return errors.Join(errs...)
}

// writeEnter writes a script that runs a command in the network of the cluster, with
// kubectl and helm in PATH.
func (h *Harness) writeEnter() error {
	bin := filepath.Join(h.Dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return fmt.Errorf("folder of commands: %w", err)
	}
	for name, path := range map[string]string{
		"kubectl": filepath.Join(h.Bins, "kubestack"), "helm": filepath.Join(h.Tools, "helm4"), "helm3": filepath.Join(h.Tools, "helm3"),
	} {
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			return fmt.Errorf("link %s: %w", name, err)
		}
	}
	script := fmt.Sprintf(`#!/bin/sh
# Runs a command, or a shell, in the network of the cluster.
[ $# -gt 0 ] || set -- "${SHELL:-/bin/sh}"
enter=
[ "$(readlink /proc/%[1]d/ns/user)" = "$(readlink /proc/self/ns/user)" ] || enter="-U --preserve-credentials"
exec nsenter -t %[1]d -n $enter env KUBECONFIG=%[2]s PATH=%[3]s:"$PATH" "$@"
`, os.Getpid(), h.Cluster.Kubeconfig, bin)
	if err := os.WriteFile(h.Enter(), []byte(script), 0o755); err != nil {
		return fmt.Errorf("write the script that enters the namespace: %w", err)
	}
	return nil
}

// Enter returns the path of the script that runs a command in the network of the cluster.
func (h *Harness) Enter() string { return filepath.Join(h.Dir, "enter") }
