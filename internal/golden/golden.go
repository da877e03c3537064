// Package golden compares what a test made with a file that was reviewed. It
// owns the one -update flag: go test ./... -update writes the files anew.
package golden

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Equal compares text with the file, or writes the file under -update. An empty
// text means that there is no file.
func Equal(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		write(t, file, text)
		return
	}
	wanted, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	require.Equal(t, string(wanted), text, "%s is not what was made; if it should be, run: make golden", file)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if text == "" {
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			require.NoError(t, err)
		}
		return
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}
