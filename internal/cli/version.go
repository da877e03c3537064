package cli

import (
	"regexp"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/triton-leases/tms/charts"
)

// SetVersion adds the flag --version, which prints the same line as the command version.
func SetVersion(root *cobra.Command) {
	root.Version = Version()
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
}

// Version returns the version of the program, which is that of the chart. If the program was
// not built from the commit that has the tag of the version, the commit follows, as in
// 0.1.0+3624bc3a9f01. The suffix .dirty marks uncommitted changes. If the commit is unknown,
// the suffix is devel.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return version(charts.Version(), info)
}

// pseudoVersion matches the commit in the version of a module that has no tag, as in
// go install ...@main.
var pseudoVersion = regexp.MustCompile(`[-.][0-9]{14}-([0-9a-f]{12})$`)

func version(release string, info *debug.BuildInfo) string {
	if info.Main.Version == "v"+release {
		return release
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	commit := "devel"
	if revision := settings["vcs.revision"]; revision != "" {
		commit = revision[:min(12, len(revision))]
		if settings["vcs.modified"] == "true" {
			commit += ".dirty"
		}
	} else if match := pseudoVersion.FindStringSubmatch(info.Main.Version); match != nil {
		commit = match[1]
	}
	return release + "+" + commit
}
