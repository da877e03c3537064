// Command tms-render prints the manifests of leases: the text that helm template
// prints for the chart tms, to the byte, with no helm and no cluster.
package main

import (
	"io"
	"log"
	"os"
)

func main() {
	log.SetOutput(io.Discard) // Helm warns there of what the schema refuses in better words
	os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
