// Command load creates thousands of TritonLeases as fast as the API server accepts
// them, and measures tms-server. The control plane is real and has no node; the
// server is a process. make load runs this command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/triton-leases/tms/test/e2e/netns"
	"github.com/triton-leases/tms/test/e2e/table"
)

func main() {
	var f flags
	flag.StringVar(&f.sizes, "leases", "1000,5000", "numbers of leases; each is measured on a new control plane")
	flag.IntVar(&f.acquires, "acquires", 500, "number of concurrent calls of Acquire; 0 skips them")
	flag.StringVar(&f.monitors, "monitors", shared, "form of monitoring: shared, perLease, or empty for a server without this setting")
	flag.StringVar(&f.json, "json", "", "also write the results of the leases to this file")
	flag.StringVar(&f.from, "from", "", "measure nothing, and print the tables of an earlier run (-json)")
	flag.StringVar(&f.before, "before", "", "file of an earlier run (-json), to compare with")
	flag.StringVar(&f.docs, "write", "", "also update the tables of performance.md in this folder")
	flag.Parse()
	if f.from == "" && !netns.Inside() {
		code, err := netns.Run()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, f)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

type flags struct {
	sizes, monitors, json, from, before, docs string
	acquires                                  int
}

func run(ctx context.Context, f flags) error {
	before, err := readResults(f.before)
	if err != nil {
		return fmt.Errorf("-before: %w", err)
	}
	if f.from != "" {
		now, err := readResults(f.from)
		if err != nil {
			return fmt.Errorf("-from: %w", err)
		}
		return f.report(now, nil, before)
	}
	o := options{bins: os.Getenv("E2E_BINS"), server: os.Getenv("E2E_SERVER"), chart: "../../charts/tms", monitors: f.monitors}
	if o.bins == "" || o.server == "" {
		return errors.New("E2E_BINS or E2E_SERVER is not set: run make load, which builds the components and sets both")
	}
	if f.monitors != "" && f.monitors != shared && f.monitors != perLease {
		return fmt.Errorf("-monitors=%s: must be %s, %s or empty", f.monitors, shared, perLease)
	}
	sizes, err := parseSizes(f.sizes)
	if err != nil {
		return err
	}
	if err := netns.Configure(); err != nil {
		return err
	}
	now := &results{Monitors: f.monitors}
	for _, leases := range sizes {
		one, err := o.measureFleet(ctx, leases, &now.Loops)
		if err != nil {
			return fmt.Errorf("%d leases: %w", leases, err)
		}
		now.Fleets = append(now.Fleets, one)
		if f.json != "" { // a failure at a larger size must not lose it
			if err := now.write(f.json); err != nil {
				return err
			}
		}
	}
	var calls []acquired
	for _, how := range []struct{ waits, kill bool }{{false, false}, {true, false}, {true, true}} {
		if f.acquires == 0 {
			break
		}
		r, err := o.acquire(ctx, f.acquires, how.waits, how.kill)
		if err != nil {
			return fmt.Errorf("%d calls of Acquire: %w", f.acquires, err)
		}
		calls = append(calls, r)
	}
	return f.report(now, calls, before)
}

// report prints the tables. The error names the limits that are missed.
func (f flags) report(now *results, calls []acquired, before *results) error {
	must, missed := now.reportRequirements()
	for _, part := range []struct{ mark, text string }{{"load", now.report(before)}, {"load-limits", must}, {"api-load", reportCalls(calls)}} {
		if part.text == "" {
			continue
		}
		fmt.Println(part.text)
		if f.docs == "" {
			continue
		}
		if err := table.Replace(filepath.Join(f.docs, "performance.md"), part.mark, part.text); err != nil {
			return err
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("%d limits are missed:\n%s", len(missed), strings.Join(missed, "\n"))
	}
	return nil
}

// parseSizes returns the numbers of leases in a list, in ascending order.
func parseSizes(text string) (sizes []int, err error) {
	for size := range strings.SplitSeq(text, ",") {
		if size == "" {
			continue
		}
		leases, err := strconv.Atoi(size)
		if err != nil || leases < 1 {
			return nil, fmt.Errorf("-leases=%s: must be numbers greater than 0, such as 1000,5000", text)
		}
		sizes = append(sizes, leases)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes), nil
}
