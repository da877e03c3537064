// Command tms-render prints the manifests of leases: what helm template prints for the
// chart tms, byte for byte, without helm or a cluster.
package main

import (
	"io"
	"log"
	"os"
)

func main() {
	log.SetOutput(io.Discard) // Helm logs warnings about values that the schema refuses with better messages
	os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
