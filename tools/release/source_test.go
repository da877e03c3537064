package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCheck checks which tags are refused.
func TestCheck(t *testing.T) {
	const log = "# Changelog\n\n## Unreleased\n\n- next\n\n## 1.2.3 - 2026-11-30\n\n### Added\n- a\n- b\n\n## 1.2.2 - 2026-01-01\n- old\n"
	for name, c := range map[string]struct{ version, app, changelog, tag, want string }{
		"a release":         {"1.2.3", "1.2.3", log, "v1.2.3", ""},
		"a prerelease":      {"1.2.3-rc.1", "1.2.3-rc.1", "## 1.2.3-rc.1\n- a\n", "v1.2.3-rc.1", ""},
		"no tag":            {"1.2.3", "1.2.3", "", "", ""},
		"another tag":       {"1.2.3", "1.2.3", log, "v1.2.4", "tag v1.2.4: must be v1.2.3"},
		"a tag without v":   {"1.2.3", "1.2.3", log, "1.2.3", "must be v1.2.3"},
		"no section":        {"1.2.4", "1.2.4", log, "v1.2.4", "CHANGELOG.md has no section of version 1.2.4"},
		"an empty section":  {"1.2.3", "1.2.3", "## 1.2.3\n\n## 1.2.2\n- old\n", "v1.2.3", "no section"},
		"a longer version":  {"1.2.3", "1.2.3", "## 1.2.30\n- a\n", "v1.2.3", "no section"},
		"another app":       {"1.2.3", "1.2.2", log, "v1.2.3", `appVersion "1.2.2": must be equal to version "1.2.3"`},
		"another app, dry":  {"1.2.3", "1.2.2", log, "", "must be equal"},
		"not a version":     {"v1.2.3", "v1.2.3", log, "", "must be a semantic version"},
		"a version of none": {"", "", log, "", "must be a semantic version"},
	} {
		folder := t.TempDir()
		write := func(path, text string) {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(folder, path), []byte(text), 0o644))
		}
		write("charts/tms/Chart.yaml", "version: "+c.version+"\nappVersion: "+c.app+"\n")
		write("CHANGELOG.md", c.changelog)
		s, err := read(folder)
		require.NoError(t, err, name)
		if err := s.check(c.tag); c.want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.want, name)
		}
	}

	notes, err := source{version: "1.2.3", changelog: log}.notes()
	require.NoError(t, err)
	require.Equal(t, "### Added\n- a\n- b", notes)
}
