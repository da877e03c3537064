//go:build e2e

// Package e2e tests the chart and tms-server on a real control plane. README.md lists the
// real and the simulated components.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/triton-leases/tms/test/e2e/harness"
	"github.com/triton-leases/tms/test/e2e/netns"
	"github.com/triton-leases/tms/test/e2e/node"
)

// h is the cluster that all scenarios share.
var h *harness.Harness

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == node.ContainerArgument {
		fmt.Fprintln(os.Stderr, node.ContainerMain(os.Args[2]))
		os.Exit(128)
	}
	if !netns.Inside() {
		code, err := netns.Run()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// run starts the cluster, runs the scenarios and stops the cluster.
func run(m *testing.M) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	paths, err := findPaths()
	if err != nil {
		return 1, err
	}
	log, err := harness.NewLog(os.Stdout, filepath.Join(paths.Dir, "logs"))
	if err != nil {
		return 1, err
	}
	started, err := harness.Start(ctx, paths, log)
	defer func() {
		failed := err != nil || code != 0
		if stopErr := started.Stop(failed); stopErr != nil && err == nil {
			err = stopErr
		}
		if failed {
			fmt.Printf("the logs are in %s\n", started.Logs())
		}
	}()
	if err != nil {
		return 1, err
	}
	h = started
	// A signal stops the cluster and this process.
	interrupted := context.AfterFunc(ctx, func() {
		if os.Getenv("KEEP") == "" {
			_ = started.Stop(true)
			os.Exit(130)
		}
	})
	defer interrupted()
	code = m.Run()
	log.Table()
	fmt.Printf("tables and plots are in %s\n", paths.Results)
	if os.Getenv("KEEP") != "" {
		err = keep(ctx, started)
	}
	return code, err
}

// findPaths returns the paths of the environment variables, or the defaults, which are
// relative to the folder of this package.
func findPaths() (harness.Paths, error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return harness.Paths{}, fmt.Errorf("root of the project: %w", err)
	}
	paths := harness.Paths{
		Bins: os.Getenv("E2E_BINS"), Tools: os.Getenv("TOOLS"), Dir: os.Getenv("E2E_DIR"), Results: os.Getenv("E2E_RESULTS"),
		Chart: filepath.Join(root, "charts", "tms"), Server: os.Getenv("E2E_SERVER"),
		Tmsctl: os.Getenv("E2E_TMSCTL"), Whatif: os.Getenv("E2E_WHATIF"), KEDA: os.Getenv("KEDA_BINS"),
	}
	if paths.KEDA != "" {
		shortened = withKEDA(shortened)
	}
	if chart := os.Getenv("E2E_CHART"); chart != "" {
		paths.Chart = chart
	}
	if paths.Bins == "" {
		out, err := exec.Command("./bins.sh", "--where").Output()
		if err != nil {
			return paths, fmt.Errorf("folder of the components: %w", err)
		}
		paths.Bins = strings.TrimSpace(string(out))
	}
	if paths.Tools == "" {
		paths.Tools = filepath.Join(root, "bin")
	}
	if paths.Tmsctl == "" {
		paths.Tmsctl = filepath.Join(root, "dist", "tmsctl")
	}
	if paths.Whatif == "" {
		paths.Whatif = filepath.Join(root, "dist", "tms-whatif")
	}
	if paths.Server == "" {
		paths.Server = filepath.Join(root, "dist", "tms-server-files")
	}
	for _, folder := range []struct {
		path    *string
		pattern string
	}{{&paths.Dir, "tms-e2e-"}, {&paths.Results, "tms-e2e-results-"}} {
		if *folder.path == "" {
			if *folder.path, err = os.MkdirTemp("", folder.pattern); err != nil {
				return paths, fmt.Errorf("folder of the run: %w", err)
			}
		}
		if *folder.path, err = filepath.Abs(*folder.path); err != nil {
			return paths, fmt.Errorf("folder of the run: %w", err)
		}
	}
	return paths, nil
}
