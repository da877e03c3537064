package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProgramRefuses checks what program refuses before it compiles. The programs that it
// writes are checked by make release-dry.
func TestProgramRefuses(t *testing.T) {
	s := sources{"../..", "./cmd/tmsctl"}
	for _, platform := range []string{"", "linux", "linux/"} {
		require.ErrorContains(t, s.program(platform, t.TempDir()), "must be OS/ARCH, such as linux/amd64", platform)
	}
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(folder+"/mine", nil, 0o644))
	require.ErrorContains(t, s.program("linux/amd64", folder), "is not empty")
	require.ErrorIs(t, run([]string{"program", "a", "b"}, nil), errUsage)
	require.ErrorIs(t, run([]string{"build", "-platform", "linux/amd64", "a"}, nil), errUsage)
}
