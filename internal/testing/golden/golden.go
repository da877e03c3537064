// Package golden compares the output of a test with a reviewed file. It owns the flag
// -update: make golden writes the files.
package golden

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// Equal compares text with the file, or writes the file if -update is set. An empty text
// means that there is no file.
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
	Same(t, string(wanted), text, file+" is not what was made; if it should be, run: make golden")
}

// Same compares two long texts, and shows where they first differ.
func Same(t testing.TB, wanted, got, message string) {
	t.Helper()
	if wanted == got {
		return
	}
	wantedLines, gotLines := strings.Split(wanted, "\n"), strings.Split(got, "\n")
	for i := 0; ; i++ {
		before := strings.Join(wantedLines[max(0, min(i, len(wantedLines))-3):min(i, len(wantedLines))], "\n")
		switch {
		case i >= len(wantedLines):
			t.Fatalf("%s\nline %d is too much: %q\nafter:\n%s", message, i+1, gotLines[i], before)
		case i >= len(gotLines):
			t.Fatalf("%s\nline %d is missing: %q\nafter:\n%s", message, i+1, wantedLines[i], before)
		case wantedLines[i] != gotLines[i]:
			t.Fatalf("%s\nline %d should be: %q\nbut is:           %q\nafter:\n%s", message, i+1, wantedLines[i], gotLines[i], before)
		}
	}
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
