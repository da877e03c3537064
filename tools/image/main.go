// Image builds the container image of tms-server, without a container engine, and the
// programs of a release:
//
//	image build -source DIR -command PACKAGE LAYOUT
//	image unpack LAYOUT DIR
//	image program -source DIR -command PACKAGE -platform OS/ARCH DIR
//
// build compiles PACKAGE of the module in DIR for each platform, and writes
//
//	LAYOUT                  an OCI image layout: one index, with an image and an SBOM for each platform
//	LAYOUT.oci.tar          the layout as one file
//	LAYOUT-<arch>.cdx.json  the SBOMs, in CycloneDX
//
// The same sources, built with the same Go, give the same digests.
//
// unpack writes the files of the image for this machine's architecture into DIR,
// which must be empty or not exist.
//
// program compiles PACKAGE for a platform as build does, and writes the binary and the
// licenses of its modules into DIR, which must be empty or not exist, and its SBOM to
// DIR.cdx.json.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `usage:
  image build [-source DIR] [-command PACKAGE] LAYOUT
  image unpack LAYOUT DIR
  image program [-source DIR] [-command PACKAGE] -platform OS/ARCH DIR
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
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	switch command, args := args[0], args[1:]; command {
	case "build", "program":
		var s sources
		var platform string
		flags := flag.NewFlagSet(command, flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		flags.StringVar(&s.folder, "source", ".", "folder of the module")
		flags.StringVar(&s.command, "command", "./cmd/"+name, "package of the command in it")
		if command == "program" {
			flags.StringVar(&platform, "platform", "", "platform, such as linux/amd64")
		}
		if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
			return errUsage
		}
		if command == "program" {
			return s.program(platform, flags.Arg(0))
		}
		digest, err := build(s, flags.Arg(0))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, flags.Arg(0)+"@"+digest.String())
		return err
	case "unpack":
		if len(args) != 2 {
			return errUsage
		}
		return unpack(args[0], args[1])
	default:
		return errUsage
	}
}
