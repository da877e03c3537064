// Command bench times the whole process of tms-render against Helm 3 and 4, the
// same work in jsonnet, and cat, on the same fleets and in one run. Only the
// ratios mean anything: machines differ, and are shared. make bench runs it, and
// docs/performance.md says what it measures.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

// sizes are the fleets, and in how many rounds each is rendered.
var sizes = []struct{ leases, rounds int }{{1, 5}, {10, 5}, {100, 5}, {1000, 5}, {10000, 3}, {100000, 5}}

func main() {
	most := flag.Int("leases", 100000, "leave out fleets of more leases")
	docs := flag.String("write", "", "write performance.md and performance.svg in this folder anew")
	flag.Parse()
	if err := run(os.Getenv("TOOLS"), *most, *docs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(bin string, most int, docs string) error {
	if bin == "" {
		return errors.New("run make bench, which builds the tools and says where they are")
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

	took := costs{}
	for _, size := range sizes {
		if size.leases > most {
			break
		}
		fmt.Fprintf(os.Stderr, "%s leases, %d rounds\n", thousands(size.leases), size.rounds)
		in, err := prepare(bin, folder, size.leases)
		if err != nil {
			return err
		}
		if err := hold(bin, in); err != nil {
			return fmt.Errorf("%d leases: the work is not equal: %w", size.leases, err)
		}
		if err := took.race(bin, in, size.rounds); err != nil {
			return err
		}
	}
	report := took.report(versions)
	fmt.Print(report)
	if docs == "" {
		return nil
	}
	return took.write(docs, report)
}
