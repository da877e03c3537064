// Command monitoringload measures what the monitoring of many leases costs: the real
// Prometheus with the rules and scrape jobs that TMS renders, and the real
// HorizontalPodAutoscaler controller. make load-monitoring runs this command.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/triton-leases/tms/test/e2e/netns"
	"github.com/triton-leases/tms/test/e2e/table"
)

func main() {
	if !netns.Inside() {
		code, err := netns.Run()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}
	fleets := flag.String("fleets", "100/20,500/20,1000/20,1000/1", "leases/namespaces for Prometheus; each fleet is measured on a new control plane")
	autoscalers := flag.String("autoscalers", "50,100,400,1000", "numbers of HorizontalPodAutoscalers, ascending")
	docs := flag.String("write", "", "also update the tables of performance.md in this folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *fleets, *autoscalers, *docs)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "monitoringload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, fleets, autoscalers, docs string) error {
	o := options{bins: os.Getenv("E2E_BINS"), render: os.Getenv("E2E_RENDER"), before: os.Getenv("RENDER_BEFORE")}
	if o.bins == "" || o.render == "" {
		return fmt.Errorf("E2E_BINS or E2E_RENDER is not set: run make load-monitoring, which builds the components and sets both")
	}
	wanted, err := parseFleets(fleets)
	if err != nil {
		return fmt.Errorf("-fleets: %w", err)
	}
	sizes, err := numbers(autoscalers, ",")
	if err != nil {
		return fmt.Errorf("-autoscalers: %w", err)
	}
	if err := netns.Configure(); err != nil {
		return err
	}
	if err := serveTritons(); err != nil {
		return err
	}
	var costs [][]cost
	for _, f := range wanted {
		all, err := o.measurePrometheus(ctx, f)
		if err != nil {
			return fmt.Errorf("Prometheus, %d leases in %d namespaces: %w", f.leases, f.namespaces, err)
		}
		costs = append(costs, all)
	}
	var scaled []syncs
	if len(sizes) > 0 {
		if scaled, err = o.measureAutoscalers(ctx, sizes); err != nil {
			return fmt.Errorf("HorizontalPodAutoscalers: %w", err)
		}
	}
	for _, result := range []struct{ mark, text string }{{"prometheus-load", reportCosts(costs)}, {"autoscaler-load", reportSyncs(scaled)}} {
		if result.text == "" {
			continue
		}
		fmt.Println(result.text)
		if docs == "" {
			continue
		}
		if err := table.Replace(filepath.Join(docs, "performance.md"), result.mark, result.text); err != nil {
			return err
		}
	}
	return nil
}

// parseFleets parses a list such as 1000/20,1000/1.
func parseFleets(list string) (all []fleet, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if text == "" {
			continue
		}
		pair, err := numbers(text, "/")
		if err != nil || len(pair) != 2 || pair[1] == 0 {
			return nil, fmt.Errorf("%q must be leases/namespaces, such as 1000/20", text)
		}
		all = append(all, fleet{leases: pair[0], namespaces: pair[1]})
	}
	return all, nil
}

func numbers(list, separator string) (all []int, err error) {
	for text := range strings.SplitSeq(list, separator) {
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
