// Package collect sets how much garbage the process keeps. It has no dependencies, so
// that it runs before most packages are initialized: they fill the heap twice over.
package collect

import (
	"os"
	"runtime/debug"
)

// atStart is high enough that a run with one lease never collects garbage.
const atStart = 400

var isSet = set()

func set() bool {
	if os.Getenv("GOGC") != "" {
		return false // the user's choice
	}
	debug.SetGCPercent(atStart)
	return true
}

// ForLargeInput lets the heap only double between two collections.
func ForLargeInput() {
	if isSet {
		debug.SetGCPercent(100)
	}
}
