// Command tms-server reconciles TritonLeases within the administrator's bounds, and
// serves the API of leases.
package main

import (
	"errors"
	"fmt"
	"os"

	"sigs.k8s.io/controller-runtime/pkg/manager/signals"

	"github.com/triton-leases/tms/internal/cli"
)

func main() {
	if err := newRoot().ExecuteContext(signals.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		if errors.As(err, new(cli.UsageError)) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}
