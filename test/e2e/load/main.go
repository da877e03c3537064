// Command load creates thousands of TritonLeases as fast as the API server accepts
// them, and measures tms-server. The control plane is real and has no node; the
// server is a process. make load runs this command.
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
	sizes := flag.String("leases", "1000,5000", "numbers of leases; each is measured on a new control plane")
	acquires := flag.Int("acquires", 500, "number of concurrent calls of Acquire; 0 skips them")
	docs := flag.String("write", "", "also update the tables of performance.md in this folder")
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
	o := options{bins: os.Getenv("E2E_BINS"), server: os.Getenv("E2E_SERVER"), chart: "../../charts/tms"}
	if o.bins == "" || o.server == "" {
		return fmt.Errorf("E2E_BINS or E2E_SERVER is not set: run make load, which builds the components and sets both")
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
		r, err := o.measure(ctx, leases)
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
		r, err := o.acquire(ctx, acquires, how.waits, how.kill)
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
