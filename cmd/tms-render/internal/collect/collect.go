// Package collect sets how much the heap grows between two collections of
// garbage. It is a package of its own, without dependencies, so that this is done
// before most other packages are initialized: they fill the heap twice over.
package collect

import (
	"os"
	"runtime/debug"
)

// percent is such that a run with one lease collects no garbage at all, and one
// with a fleet rarely: a process that ends within a second has no use for memory
// that it finds again.
const percent = 400

var _ = set()

func set() bool {
	if os.Getenv("GOGC") != "" {
		return false // somebody knows better
	}
	debug.SetGCPercent(percent)
	return true
}
