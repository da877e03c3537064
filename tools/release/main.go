// Release builds the files of a release, checks them, and pushes them. It runs in the root of
// the project:
//
//	release check [-tag TAG]
//	release notes
//	release build DIR
//	release verify [-tag TAG] DIR
//	release push DIR REGISTRY
//
// check compares the version in Chart.yaml with the tag, and finds its section in
// CHANGELOG.md. notes prints this section.
//
// build writes the archives of the programs with their SBOMs, the package of the chart, the
// image, the krew manifest, the Homebrew formulas and SHA256SUMS into DIR. The same commit
// gives the same bytes.
//
// verify runs what build wrote, and pushes it to a registry in this process and pulls it
// again.
//
// push pushes the image, the chart and the metadata for Artifact Hub to REGISTRY, such as
// registry.example.com/triton-leases, and prints their names with the digests.
//
// build, verify and push run the tools in bin/.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `usage:
  release check [-tag TAG]
  release notes
  release build DIR
  release verify [-tag TAG] DIR
  release push DIR REGISTRY
`

// errUsage is returned for an invalid command line.
var errUsage = errors.New("wrong arguments")

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var tag string
	operands := map[string]int{"check": 0, "notes": 0, "build": 1, "verify": 1, "push": 2}
	if args[0] == "check" || args[0] == "verify" {
		flags.StringVar(&tag, "tag", "", "tag of the release")
	}
	want, known := operands[args[0]]
	if err := flags.Parse(args[1:]); err != nil || !known || flags.NArg() != want {
		return errUsage
	}
	source, err := read(".")
	if err != nil {
		return err
	}
	r := release{source, flags.Arg(0)}
	switch args[0] {
	case "check":
		return source.check(tag)
	case "notes":
		notes, err := source.notes()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, notes)
		return err
	case "build":
		return r.build()
	case "verify":
		return r.verify(tag, out)
	default:
		digests, err := r.push(flags.Arg(1))
		for _, digest := range digests {
			fmt.Fprintln(out, digest)
		}
		return err
	}
}
