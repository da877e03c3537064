// Command tms-whatif predicts how a lease scales under a load: how long requests wait, and
// how many replicas run. It runs the HPA controller of Kubernetes in simulated time.
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
