// Package collect configures the garbage collector. It has no dependencies, so that it
// is initialized before the packages that allocate much when they are initialized.
package collect

import (
	"os"
	"runtime/debug"
)

// atStart is a GOGC with which a run with one lease never collects garbage.
const atStart = 400

var isSet = set()

func set() bool {
	if os.Getenv("GOGC") != "" {
		return false // the user's choice
	}
	debug.SetGCPercent(atStart)
	return true
}

// ForLargeInput restores Go's default, to limit the memory of large input.
func ForLargeInput() {
	if isSet {
		debug.SetGCPercent(100)
	}
}
