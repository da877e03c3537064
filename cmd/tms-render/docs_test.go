package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs runs commands of pages with the files that the pages show, and compares their
// output with the pages.
func TestDocs(t *testing.T) {
	testPage(t, "install.md", "explain", exitDone, 2)
	testPage(t, "lint.md", "lint", exitFailed, 1)
}

// testPage runs the sessions of a page with one command.
func testPage(t *testing.T, name, command string, exit, sessions int) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("../../docs", name))
	require.NoError(t, err)
	project, err := os.Getwd()
	require.NoError(t, err)
	folder := t.TempDir()
	t.Chdir(folder)
	defer t.Chdir(project)
	shown := 0
	for block := range strings.SplitSeq(string(page), "\n```") {
		if text, ok := strings.CutPrefix(block, "yaml\n"); ok {
			switch {
			case strings.HasPrefix(text, "apiVersion: "):
				require.NoError(t, os.WriteFile(filepath.Join(folder, "lease.yaml"), []byte(text), 0o600))
			case strings.Contains(text, "\nleases:\n"):
				require.NoError(t, os.WriteFile(filepath.Join(folder, "values.yaml"), []byte(text), 0o600))
			}
		}
		session, ok := strings.CutPrefix(block, "console\n$ tms-render "+command+" ")
		if !ok {
			continue
		}
		arguments, printed, _ := strings.Cut(session, "\n")
		status, out, errs := tms(t, "", append([]string{command}, strings.Fields(arguments)...)...)
		require.Equal(t, exit, status, errs)
		require.Equal(t, errs+out, printed+"\n", arguments)
		shown++
	}
	require.Equal(t, sessions, shown)
}
