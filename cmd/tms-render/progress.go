package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/render"
)

// manyLeases is the smallest number of leases for which the progress is shown.
const manyLeases = 1000

// showProgress draws a progress bar while the manifests of a fleet are written, if w is a
// terminal. It returns a function that removes the bar.
func showProgress(result *render.Result, w io.Writer) (remove func()) {
	if len(result.Leases) < manyLeases || !cli.OnTerminal(w) {
		return func() {}
	}
	drawn := -1
	result.Progress = func(done, total int) {
		if percent := 100 * done / total; percent != drawn {
			drawn = percent
			_, _ = io.WriteString(w, bar(percent))
		}
	}
	return func() { _, _ = io.WriteString(w, noBar) }
}

// noBar is the control sequence that clears the line of the bar.
const noBar = "\r\x1b[K"

// bar returns the bar. It overwrites the current line.
func bar(percent int) string {
	const width = 40
	filled := width * percent / 100
	return fmt.Sprintf("\rrendering [%s%s] %2d %%", strings.Repeat("=", filled), strings.Repeat(" ", width-filled), percent)
}

// isFile reports whether w is a regular file.
func isFile(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode().IsRegular()
}
