// Package charts embeds the chart tms, so that the commands do not read it from disk.
package charts

import (
	"embed"
	"io/fs"
)

// The patterns list the files: a pattern for the whole folder would silently omit
// symlinks, and files that begin with "_" or ".".
//
//go:embed tms/Chart.yaml tms/values.yaml tms/values.schema.json tms/README.md tms/.helmignore
//go:embed all:tms/templates tms/files/policy.yaml tms/files/tritonleases.yaml tms/files/values.yaml
var files embed.FS

// TMS returns the folder of the chart tms, which holds its Chart.yaml.
func TMS() fs.FS {
	chart, err := fs.Sub(files, "tms")
	if err != nil {
		panic(err) // the path is a constant and valid
	}
	return chart
}
