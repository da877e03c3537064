// Package charts embeds the chart tms, so that the commands do not read it from disk.
package charts

import (
	"embed"
	"io/fs"
	"strings"
)

// The patterns list the files: a pattern for the whole folder would silently omit
// symlinks, and files that begin with "_" or ".".
//
//go:embed tms/Chart.yaml tms/values.yaml tms/values.schema.json tms/README.md tms/.helmignore
//go:embed all:tms/templates tms/files/policy.yaml tms/files/tritonleases.yaml tms/files/values.yaml
//go:embed tms/files/dashboards/tms-fleet.json tms/files/dashboards/tms-lease.json tms/files/dashboards/tms-server.json
var files embed.FS

// TMS returns the folder of the chart tms, which holds its Chart.yaml.
func TMS() fs.FS {
	chart, err := fs.Sub(files, "tms")
	if err != nil {
		panic(err) // the path is a constant and valid
	}
	return chart
}

// description is a variable of its own: a program that only needs the version then does not
// contain the rest of the chart.
//
//go:embed tms/Chart.yaml
var description string

// Version returns the version of the chart. The commands and the image have the same one.
func Version() string {
	for line := range strings.Lines(description) {
		if version, ok := strings.CutPrefix(line, "version: "); ok {
			return strings.TrimSpace(version)
		}
	}
	panic("charts: Chart.yaml has no version") // a test reads it
}
