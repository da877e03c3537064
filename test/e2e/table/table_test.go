package table_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/triton-leases/tms/test/e2e/table"
)

func TestMarkdown(t *testing.T) {
	t.Parallel()
	got := table.Markdown([][]string{{"Monitors", "CPU"}, {"own", "0.5 (1.0×)"}, {"shared", "1/14"}}, 1)
	const want = "| Monitors |        CPU |\n" +
		"|----------|-----------:|\n" +
		"| own      | 0.5 (1.0×) |\n" +
		"| shared   |       1/14 |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("a\n<!-- load -->\nold\n<!-- /load -->\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the marks stay
		if err := table.Replace(path, "load", "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	const want = "a\n<!-- load -->\nnew\n<!-- /load -->\nb\n"
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("got %q, %v, want %q", text, err, want)
	}
	if table.Replace(path, "other", "") == nil {
		t.Error("no error for missing marks")
	}
}
