//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/triton-leases/tms/test/e2e/harness"
	"github.com/triton-leases/tms/test/e2e/helm"
	"github.com/triton-leases/tms/test/e2e/netns"
	"github.com/triton-leases/tms/test/e2e/triton"
)

// playground is the address of the HTTP server that sets the load while KEEP=1 keeps the
// cluster.
const playground = netns.NodeIP + ":9999"

// keep installs an example lease, prints how to use it, and waits for Ctrl-C.
func keep(ctx context.Context, h *harness.Harness) error {
	const namespace, workload = "inference", "inference/tms-resnet50"
	if err := h.Cluster.Apply(ctx, restrictedNamespace(namespace, nil)); err != nil {
		return err
	}
	release := helm.Release{Name: "tms", Namespace: namespace, Chart: h.Chart, Flags: []string{"--take-ownership", "--force-conflicts"}}
	if _, err := h.Helm(4).Install(ctx, release, shortened, serverValues, "server: {namespaces: ["+namespace+"]}", queueLease("resnet50", 4, 100000)); err != nil {
		return err
	}
	lease := filepath.Join(h.Dir, "lease.yaml")
	text := fmt.Sprintf("apiVersion: tms.triton-leases.dev/v1alpha1\nkind: TritonLease\nmetadata: {name: mine, namespace: %s}\nspec: %s\n", namespace, scaled(3))
	if err := os.WriteFile(lease, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the example lease: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/load", func(w http.ResponseWriter, r *http.Request) {
		if rate, err := strconv.ParseFloat(r.FormValue("rate"), 64); err == nil {
			h.Fleet.Change(workload, func(b *triton.Behavior) { b.Rate = rate })
		}
		if jammed, err := strconv.ParseBool(r.FormValue("jammed")); err == nil {
			h.Fleet.Change(workload, func(b *triton.Behavior) { b.Jammed = jammed })
		}
		_ = json.NewEncoder(w).Encode(h.Fleet.Behavior(workload))
	})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", playground)
	if err != nil {
		return fmt.Errorf("playground: %w", err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	h.Fleet.Change(workload, func(b *triton.Behavior) { b.Rate = 2 })
	fmt.Printf(`
The cluster stays up until Ctrl-C. It has its own network namespace. This script runs
a command in it (or a shell, with kubectl and helm in PATH):

  E=%s
  $E kubectl get hpa -A -w
  $E curl -s '%s/load?rate=200'        # requests per second for inference/tms-resnet50
  $E curl -s '%s/load?rate=2'
  $E curl -s '%s/load?jammed=true'
  $E kubectl apply -f %s
  $E kubectl get tl -A -w
  $E helm upgrade tms %s -n inference -f ...

KUBECONFIG=%s
Each Triton here serves 20 requests per second. Logs: %s
`, h.Enter(), playground, playground, playground, lease, h.Chart, h.Cluster.Kubeconfig, h.Logs())
	<-ctx.Done()
	return nil
}
