// Command bench measures the whole process of tms-render, of Helm 3 and 4, of the same work
// in jsonnet, and of cat, on the same fleets and in one run. Compare only the ratios:
// machines differ, and other work may run on them. make bench runs this command;
// docs/performance.md describes what it measures.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

// sizes are the sizes of the fleets, and the number of rounds for each.
var sizes = []struct{ leases, rounds int }{{1, 5}, {10, 5}, {100, 5}, {1000, 5}, {10000, 3}, {100000, 5}}

func main() {
	maxLeases := flag.Int("leases", 100000, "skip fleets with more leases than this")
	docs := flag.String("write", "", "update performance.md and performance.svg in this folder")
	flag.Parse()
	if err := run(os.Getenv("TOOLS"), *maxLeases, *docs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(bin string, maxLeases int, docs string) error {
	if bin == "" {
		return errors.New("TOOLS is not set: run make bench, which builds the tools and sets it")
	}
	versions, err := versions(bin)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "tms-bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()

	medians := costs{}
	for _, size := range sizes {
		if size.leases > maxLeases {
			break
		}
		fmt.Fprintf(os.Stderr, "%s leases, %d rounds\n", thousands(size.leases), size.rounds)
		in, err := prepare(bin, folder, size.leases)
		if err != nil {
			return err
		}
		if err := compare(bin, in); err != nil {
			return fmt.Errorf("%d leases: the outputs differ: %w", size.leases, err)
		}
		if err := medians.race(bin, in, size.rounds); err != nil {
			return err
		}
	}
	report := medians.report(versions)
	fmt.Print(report)
	if docs == "" {
		return nil
	}
	return medians.write(docs, report)
}
