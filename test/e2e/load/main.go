// Command load creates thousands of TritonLeases as fast as it can, and measures
// what tms-server makes of it: on a real control plane without a node, with the
// server as a process beside it. make load runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/triton-leases/tms/test/e2e/netns"
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
	sizes := flag.String("leases", "1000,5000", "how many leases, each number on a control plane of its own")
	docs := flag.String("write", "", "write the table into performance.md in this folder, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *sizes, *docs)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sizes, docs string) error {
	p := places{bins: os.Getenv("E2E_BINS"), server: os.Getenv("E2E_SERVER"), chart: "../../charts/tms"}
	if p.bins == "" || p.server == "" {
		return fmt.Errorf("run make load, which builds what this needs and says where it is")
	}
	if err := netns.Configure(); err != nil {
		return err
	}
	var all []result
	for size := range strings.SplitSeq(sizes, ",") {
		leases, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("-leases: %w", err)
		}
		r, err := p.measure(ctx, leases)
		if err != nil {
			return fmt.Errorf("%d leases: %w", leases, err)
		}
		all = append(all, r)
	}
	table := report(all)
	fmt.Print(table)
	if docs == "" {
		return nil
	}
	return write(docs, table)
}
