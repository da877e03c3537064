// Package golden compares the output of tests with golden files. It defines the -update
// flag, with which make golden rewrites the files.
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

var update = flag.Bool("update", false, "rewrite the golden files")

// Equal fails the test if the file does not hold text. With -update, it writes the file
// instead. An empty text stands for no file.
func Equal(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		write(t, file, text)
		return
	}
	want, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	Same(t, string(want), text, file+" differs from the output; if the output is right, run: make generate golden")
}

// Same fails the test if two long texts differ, and shows the first line that differs.
func Same(t testing.TB, want, got, message string) {
	t.Helper()
	if want == got {
		return
	}
	wantLines, gotLines := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := 0; ; i++ {
		before := strings.Join(wantLines[max(0, min(i, len(wantLines))-3):min(i, len(wantLines))], "\n")
		switch {
		case i >= len(wantLines):
			t.Fatalf("%s\nunexpected line %d: %q\nafter:\n%s", message, i+1, gotLines[i], before)
		case i >= len(gotLines):
			t.Fatalf("%s\nmissing line %d: %q\nafter:\n%s", message, i+1, wantLines[i], before)
		case wantLines[i] != gotLines[i]:
			t.Fatalf("%s\nline %d\nwant: %q\ngot:  %q\nafter:\n%s", message, i+1, wantLines[i], gotLines[i], before)
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
