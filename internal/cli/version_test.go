package cli

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	const revision = "3624bc3a9f01fffffffffffffffffffffffffffff"
	commit := debug.BuildSetting{Key: "vcs.revision", Value: revision}
	clean, dirty := debug.BuildSetting{Key: "vcs.modified", Value: "false"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for name, c := range map[string]struct {
		module   string
		settings []debug.BuildSetting
		want     string
	}{
		"go install of a tag":           {"v0.1.0", nil, "0.1.0"},
		"go build of a tag":             {"v0.1.0", []debug.BuildSetting{commit, clean}, "0.1.0"},
		"changes after a tag":           {"v0.1.0+dirty", []debug.BuildSetting{commit, dirty}, "0.1.0+3624bc3a9f01.dirty"},
		"a tag of another version":      {"v0.0.9", []debug.BuildSetting{commit, clean}, "0.1.0+3624bc3a9f01"},
		"a commit after a tag":          {"v0.1.1-0.20261130010203-3624bc3a9f01", []debug.BuildSetting{commit, clean}, "0.1.0+3624bc3a9f01"},
		"go install of a commit":        {"v0.1.1-0.20261130010203-3624bc3a9f01", nil, "0.1.0+3624bc3a9f01"},
		"go install of the first steps": {"v0.0.0-20261130010203-3624bc3a9f01", nil, "0.1.0+3624bc3a9f01"},
		"no git":                        {"(devel)", nil, "0.1.0+devel"},
		"go test":                       {"", nil, "0.1.0+devel"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: c.module}, Settings: c.settings}
		require.Equal(t, c.want, version("0.1.0", info), name)
	}
}
