// Package charts embeds the chart, so that the library and the commands need no copy of
// it on disk.
package charts

import (
	"embed"
	"io/fs"
)

// The files are named one by one: an embed of the whole folder omits files that begin
// with "_" and, silently, symlinks.
//
//go:embed tms/Chart.yaml tms/values.yaml tms/values.schema.json tms/README.md tms/.helmignore
//go:embed all:tms/templates tms/files/metrics.yaml tms/files/tritonleases.yaml tms/files/values.yaml
var files embed.FS

// TMS returns the chart tms: the folder that holds its Chart.yaml.
func TMS() fs.FS {
	chart, err := fs.Sub(files, "tms")
	if err != nil {
		panic(err) // the path is a constant and valid
	}
	return chart
}
