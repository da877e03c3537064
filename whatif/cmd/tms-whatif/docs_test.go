package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs runs the session of docs/what-if.md with the values of the page, and compares
// what it prints and draws with the page. With UPDATE_SCRIPTS it rewrites both.
func TestDocs(t *testing.T) {
	docs, err := filepath.Abs("../../../docs")
	require.NoError(t, err)
	name := filepath.Join(docs, "what-if.md")
	page, err := os.ReadFile(name)
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	values, _, _ := strings.Cut(rest, "```\n")
	_, rest, _ = strings.Cut(rest, "```console\n$ tms-whatif ")
	session, _, found := strings.Cut(rest, "```\n")
	require.True(t, found)
	arguments, printed, _ := strings.Cut(session, "\n")

	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("values.yaml", []byte(values), 0o600))
	var out, errs bytes.Buffer
	require.Equal(t, exitDone, run(strings.Fields(arguments), streams{in: strings.NewReader(""), out: &out, err: &errs}), errs.String())
	drawn, err := os.ReadFile("what-if.svg")
	require.NoError(t, err)
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		text := strings.Replace(string(page), session, arguments+"\n"+out.String(), 1)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(docs, "what-if.svg"), drawn, 0o600))
		return
	}
	require.Equal(t, printed, errs.String()+out.String())
	shown, err := os.ReadFile(filepath.Join(docs, "what-if.svg"))
	require.NoError(t, err)
	require.Equal(t, string(shown), string(drawn), "the drawing: run the tests with UPDATE_SCRIPTS=1")
}
