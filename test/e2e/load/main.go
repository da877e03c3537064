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
	acquires := flag.Int("acquires", 500, "how many calls of Acquire at once; 0 leaves them out")
	docs := flag.String("write", "", "write the table into performance.md in this folder, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *sizes, *acquires, *docs)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sizes string, acquires int, docs string) error {
	p := places{bins: os.Getenv("E2E_BINS"), server: os.Getenv("E2E_SERVER"), chart: "../../charts/tms"}
	if p.bins == "" || p.server == "" {
		return fmt.Errorf("run make load, which builds what this needs and says where it is")
	}
	if err := netns.Configure(); err != nil {
		return err
	}
	var all []result
	for size := range strings.SplitSeq(sizes, ",") {
		if size == "" {
			continue
		}
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
	var calls []acquired
	for _, how := range []struct{ waits, kill bool }{{false, false}, {true, false}, {true, true}} {
		if acquires == 0 {
			break
		}
		r, err := p.acquire(ctx, acquires, how.waits, how.kill)
		if err != nil {
			return fmt.Errorf("%d calls of Acquire: %w", acquires, err)
		}
		calls = append(calls, r)
	}
	for _, table := range []struct{ mark, text string }{{"load", report(all)}, {"api-load", reportCalls(calls)}} {
		if table.text == "" {
			continue
		}
		fmt.Print(table.text)
		if docs == "" {
			continue
		}
		if err := write(docs, table.mark, table.text); err != nil {
			return err
		}
	}
	return nil
}
