package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/triton-leases/tms/internal/cli"
	"github.com/triton-leases/tms/pkg/render"
)

// manyLeases is from how many on a person wants to know how far it is.
const manyLeases = 1000

// showProgress draws a bar while the manifests of a fleet are written, where a
// person watches. The function that it returns removes the bar.
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

// noBar removes what is in the line.
const noBar = "\r\x1b[K"

// bar is a line that is drawn over itself.
func bar(percent int) string {
	const width = 40
	filled := width * percent / 100
	return fmt.Sprintf("\rrendering [%s%s] %2d %%", strings.Repeat("=", filled), strings.Repeat(" ", width-filled), percent)
}

// isFile says whether what is written to w ends up in a file.
func isFile(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode().IsRegular()
}
