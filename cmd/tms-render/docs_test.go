package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInstallDoc runs the explain commands of docs/install.md with the files that the
// page shows, and compares their output with the page.
func TestInstallDoc(t *testing.T) {
	page, err := os.ReadFile("../../docs/install.md")
	require.NoError(t, err)
	folder := t.TempDir()
	t.Chdir(folder)
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
		session, ok := strings.CutPrefix(block, "console\n$ tms-render explain ")
		if !ok {
			continue
		}
		command, printed, _ := strings.Cut(session, "\n")
		status, out, errs := tms(t, "", append([]string{"explain"}, strings.Fields(command)...)...)
		require.Equal(t, exitDone, status, errs)
		require.Equal(t, errs+out, printed+"\n", command)
		shown++
	}
	require.Equal(t, 2, shown)
}
